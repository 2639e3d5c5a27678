"""Prepare windows of an image that does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.boxes import Run
from cellseg_monai.pixels.channels import select_channels
from cellseg_monai.pixels.normalise import scale_between
from cellseg_monai.pixels.preprocessing import Preprocessing, prepared_shape
from cellseg_monai.pixels.scale import rescale_window
from cellseg_monai.pixels.windowed_percentiles import percentile_ranges, windows_of_chunks

__all__ = ["ImageStatistics", "PreparedWindows"]


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of the whole image that are needed to prepare a window.

    Args:
        grey_as_colour: True if the colours are equal in the whole image, so that one of them is enough.
        ranges: the values that become 0 and 1, for each channel that the network sees.
    """

    grey_as_colour: bool
    ranges: tuple[tuple[float, float], ...]


class PreparedWindows:
    """The result of `prepare` for an image, window by window, with one normalisation for the whole image.

    The pixels are those of `prepare`, to rounding.

    Args:
        read: returns CYX pixels of the image as measured, for rows and columns.
        shape: (Y, X) of the image.
        settings: how the bundle prepares images.
        channel_names: one name for each channel, or empty.
        pixel_size_um: (y, x) in µm per pixel of the image, if known.
        statistics: statistics from another `PreparedWindows` of the same image; None to read the image for them.
        chunk_shape: (Y, X) of the blocks in which the image is stored, if it is, so that each is read only once for the
            statistics.
        run: applies a function to parts of the image for the statistics; see `percentile_ranges`.

    Attributes:
        shape: (Y, X) at which the network sees the image.
        statistics: statistics of the whole image.

    Raises:
        ValueError: the image lacks a channel or the pixel size that the settings ask for, or holds NaN.

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
        """Return a window of the prepared image, CYX float32."""
        return rescale_window(self._scaled, self._image_shape, self.shape, rows, columns)

    def _gather_statistics(self, chunk_shape: tuple[int, int] | None, run: Run) -> ImageStatistics:
        """Gather the statistics of the whole image."""
        grey, settings = self._is_grey_as_colour(chunk_shape), self._settings
        ranges = percentile_ranges(
            lambda rows, columns: self._selected(rows, columns, grey),
            self._image_shape,
            settings.lower_percentile,
            settings.upper_percentile,
            noise_floor=settings.noise_floor,
            chunk_shape=chunk_shape,
            run=run,
        )
        return ImageStatistics(grey, tuple(ranges))

    def _scaled(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a window at the resolution of the image, with its intensities scaled."""
        selected = self._selected(rows, columns, self.statistics.grey_as_colour)
        scaled: np.ndarray = np.empty(selected.shape, np.float32)
        for target, channel, (low, high) in zip(scaled, selected, self.statistics.ranges, strict=True):
            target[...] = scale_between(channel.astype(np.float64), low, high, self._settings.clip)
        return scaled

    def _selected(self, rows: slice, columns: slice, grey_as_colour: bool) -> np.ndarray:
        """Return the channels that the network sees, for a window."""
        pixels = self._read(rows, columns)
        selected = select_channels(pixels, self._settings.channels, channel_names=self._names)
        if self._settings.channels == "grey" and len(pixels) > 2 and not grey_as_colour:
            # A window that happens to be grey must have the dtype of the rest of the colour image.
            return selected.astype(np.result_type(selected.dtype, np.float32), copy=False)
        return selected

    def _is_grey_as_colour(self, chunk_shape: tuple[int, int] | None) -> bool:
        """Return True if the colours are equal in the whole image, which `select_channels` cannot see in a window."""
        if self._settings.channels != "grey":
            return False
        for window in windows_of_chunks(self._image_shape, chunk_shape):
            pixels = self._read(*window)
            if len(pixels) < 3 or not ((pixels[0] == pixels[1]) & (pixels[0] == pixels[2])).all():
                return False
        return True
