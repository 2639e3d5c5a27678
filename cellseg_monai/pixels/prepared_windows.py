"""Prepare images that do not fit into memory, window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.boxes import Run
from cellseg_monai.pixels.channels import inverted, select_channels
from cellseg_monai.pixels.margin_search import find_margins
from cellseg_monai.pixels.margins import Margins
from cellseg_monai.pixels.normalise import ChannelRange, highest_contrast, scale_between
from cellseg_monai.pixels.preprocessing import Preprocessing, prepared_shape
from cellseg_monai.pixels.scale import rescale_window
from cellseg_monai.pixels.windowed_percentiles import channel_ranges, windows_of_chunks

__all__ = ["ImageStatistics", "PreparedPixels", "PreparedWindows"]


@dataclass(frozen=True, eq=False)
class PreparedPixels:
    """An image that has been prepared as a whole, and is called for windows like `PreparedWindows`.

    Args:
        pixels: CYX float32, from `prepare`.
        contrast: the highest contrast among the channels; see `contrast_over_noise`.
        missing: YX bool, True where the image has no data; None if it has data everywhere.

    >>> PreparedPixels(np.zeros((1, 4, 5), np.float32), 99.0)(slice(0, 2), slice(0, 3)).shape
    (1, 2, 3)
    """

    pixels: np.ndarray
    contrast: float
    missing: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the prepared image."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    @property
    def missing_share(self) -> float:
        """Share of the image without data."""
        return 0.0 if self.missing is None else float(self.missing.mean())

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a window of the prepared image as CYX float32."""
        return self.pixels[:, rows, columns]


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of a whole image that are needed to prepare any of its windows.

    Args:
        grey_as_colour: True if red, green and blue are equal in the whole image, so that a single channel is enough.
        ranges: the range of intensities of each channel that the network sees.
        margins: the margins without data; None if there are none.
    """

    grey_as_colour: bool
    ranges: tuple[ChannelRange, ...]
    margins: Margins | None = None

    @property
    def contrast(self) -> float:
        """The highest contrast among the channels; see `contrast_over_noise`."""
        return highest_contrast(self.ranges)


class PreparedWindows:
    """Windows of a prepared image, normalised with the statistics of the whole image.

    Call the object with rows and columns to get a window. Its pixels equal the result of `prepare` up to rounding.

    Args:
        read: function that returns the unprepared CYX pixels of the image in the given rows and columns.
        shape: (Y, X) of the image.
        settings: preprocessing settings of the bundle.
        channel_names: one name per channel, or empty.
        pixel_size_um: (y, x) pixel size of the image in µm, if known.
        statistics: statistics from another `PreparedWindows` of the same image. If None, they are computed.
        chunk_shape: (Y, X) of the chunks in which the image is stored, if any. When statistics are computed, each chunk
            is read only once per pass.
        run: function that applies another function to parts of the image, to compute statistics; see
            `percentile_ranges`.

    Attributes:
        shape: (Y, X) of the prepared image, which the network sees.
        statistics: statistics of the whole image.

    Raises:
        ValueError: the image lacks a channel or the pixel size that the settings require, or contains NaN.

    >>> image = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)
    >>> settings = Preprocessing(lower_percentile=0, upper_percentile=100, noise_floor=0)
    >>> prepared = PreparedWindows(lambda rows, columns: image[:, rows, columns], (10, 10), settings)
    >>> prepared(slice(9, 10), slice(8, 10)).round(2)
    array([[[0.99, 1.  ]]], dtype=float32)
    """

    def __init__(
        self,
        read: Callable[[slice, slice], np.ndarray],
        shape: tuple[int, int],
        settings: Preprocessing,
        *,
        channel_names: Sequence[str] = (),
        pixel_size_um: tuple[float, float] | None = None,
        statistics: ImageStatistics | None = None,
        chunk_shape: tuple[int, int] | None = None,
        run: Run = map,
    ) -> None:
        self._read, self._image_shape, self._settings, self._names = read, shape, settings, channel_names
        self.shape = prepared_shape(shape, settings, pixel_size_um=pixel_size_um)
        self.statistics = self._gather_statistics(chunk_shape, run) if statistics is None else statistics

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a window of the prepared image as CYX float32."""
        return rescale_window(self._scaled, self._image_shape, self.shape, rows, columns)

    @property
    def contrast(self) -> float:
        """The highest contrast among the channels; see `contrast_over_noise`."""
        return self.statistics.contrast

    @property
    def missing_share(self) -> float:
        """Share of the image without data."""
        return 0.0 if self.statistics.margins is None else self.statistics.margins.share

    def missing(self, rows: slice, columns: slice) -> np.ndarray | None:
        """Return a YX mask of a window at the scale of the network, True where the image has no data.

        Returns:
            YX bool; None if the image has data everywhere.
        """
        margins = self.statistics.margins
        return None if margins is None else margins.resampled(self.shape)(rows, columns)

    def _gather_statistics(self, chunk_shape: tuple[int, int] | None, run: Run) -> ImageStatistics:
        """Compute the statistics of the whole image, window by window."""
        grey, settings = self._is_grey_as_colour(chunk_shape), self._settings
        margins = find_margins(
            lambda rows, columns: self._selected(rows, columns, grey),
            self._image_shape,
            windows_of_chunks(self._image_shape, chunk_shape),
        )
        height, width = self._image_shape
        box = (slice(0, height), slice(0, width)) if margins is None else margins.box
        ranges = channel_ranges(
            lambda rows, columns: self._filled(_moved(rows, box[0]), _moved(columns, box[1]), grey, margins),
            (box[0].stop - box[0].start, box[1].stop - box[1].start),
            settings.lower_percentile,
            settings.upper_percentile,
            with_noise=settings.noise_floor > 0,
            chunk_shape=chunk_shape,
            run=run,
        )
        return ImageStatistics(grey, tuple(ranges), margins)

    def _scaled(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a window at the original resolution, with normalised intensities."""
        margins = self.statistics.margins
        selected = self._filled(rows, columns, self.statistics.grey_as_colour, margins)
        scaled: np.ndarray = np.empty(selected.shape, np.float32)
        for target, channel, found in zip(scaled, selected, self.statistics.ranges, strict=True):
            low, high = found.limits(self._settings.noise_floor)
            target[...] = scale_between(channel.astype(np.float64), low, high, self._settings.clip)
        if margins is not None:
            scaled[:, margins(rows, columns)] = 0
        return scaled

    def _filled(self, rows: slice, columns: slice, grey_as_colour: bool, margins: Margins | None) -> np.ndarray:
        """Read a window, select its channels, and fill the margins without data."""
        selected = self._selected(rows, columns, grey_as_colour)
        return selected if margins is None else margins.filled(selected, rows, columns)

    def _selected(self, rows: slice, columns: slice, grey_as_colour: bool) -> np.ndarray:
        """Read a window and select the channels that the network sees."""
        pixels = self._read(rows, columns)
        selected = select_channels(pixels, self._settings.channels, channel_names=self._names)
        if self._settings.invert:
            selected = inverted(selected)
        if self._settings.channels == "grey" and len(pixels) > 2 and not grey_as_colour:
            # A grey window in a colour image must have the same dtype as the other windows.
            return selected.astype(np.result_type(selected.dtype, np.float32), copy=False)
        return selected

    def _is_grey_as_colour(self, chunk_shape: tuple[int, int] | None) -> bool:
        """Return True if red, green and blue are equal in the whole image, which no single window could reveal."""
        if self._settings.channels != "grey":
            return False
        for window in windows_of_chunks(self._image_shape, chunk_shape):
            pixels = self._read(*window)
            if len(pixels) < 3 or not ((pixels[0] == pixels[1]) & (pixels[0] == pixels[2])).all():
                return False
        return True


def _moved(axis: slice, within: slice) -> slice:
    """Return rows or columns of an image, given those of a part of it."""
    return slice(axis.start + within.start, axis.stop + within.start)
