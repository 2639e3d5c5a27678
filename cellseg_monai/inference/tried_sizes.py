"""Telling the size of objects from a network's own maps, by trying a few sizes on a window of the image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.decoding import label_objects
from cellseg_monai.inference.tiled import predict
from cellseg_monai.labels import typical_diameter_px
from cellseg_monai.pixels import Margins, prepare_and_measure, select_channels
from cellseg_monai.pixels.margin_search import glimpsed_margins
from cellseg_monai.scouting.views import row_contrast

if TYPE_CHECKING:
    from cellseg_monai.inference.pipeline import Pipeline

__all__ = ["Fit", "best_fit", "sizes_to_try", "try_sizes"]

Reader = Callable[[slice, slice], np.ndarray]

_SIDE_PX = 512  # side of the window at the scale of the network
_MOST_SIDE_PX = 4096  # side of the window in the image
_ROWS = 8  # rows of a window that tell its contrast
_STEPS = (-1.5, -0.5, 0.5, 1.5)  # sizes to try, as multiples of the uncertainty
_WIDEST = 1.5  # octaves; further apart, sizes in between would be missed
_SEEN = 0.2  # foreground probability from which a pixel counts as seen
_DOUBT = 2.0  # octaves of deviation that outweigh the certainty of a guess
_LEAST_OBJECTS = 3
_AGREES = 0.75  # octaves up to which the size that is found replaces the size that was tried


@dataclass(frozen=True)
class Fit:
    """A measure of how well a size of objects suits a window of an image.

    Args:
        tried_px: the size that was tried, as a diameter in pixels of the image.
        found_px: typical diameter of the objects found at this size, in pixels of the image; NaN if there are none.
        objects: number of objects found.
        certainty: how far the foreground probabilities of what the network sees are from a guess, 0 to 1.
    """

    tried_px: float
    found_px: float
    objects: int
    certainty: float

    @property
    def deviation(self) -> float:
        """Difference between the size that was tried and the size that was found, in octaves."""
        return abs(math.log2(self.found_px / self.tried_px)) if self.objects else math.inf

    @property
    def agrees(self) -> bool:
        """True if there are several objects, of about the size that was tried."""
        return self.objects >= _LEAST_OBJECTS and self.deviation <= _AGREES

    @property
    def diameter_px(self) -> float:
        """Diameter of the objects in pixels of the image: the one found, if it is credible, or else the one tried.

        A network finds objects that are up to twice as large or small as it expects, and outlines them well enough to
        tell their size.
        """
        return self.found_px if self.agrees else self.tried_px


def sizes_to_try(diameter_px: float, spread: float) -> list[float]:
    """Return the diameters to try around an uncertain one.

    Args:
        diameter_px: the likeliest diameter.
        spread: standard deviation of its logarithm to base 2.

    >>> [round(diameter) for diameter in sizes_to_try(16, 1)]
    [6, 11, 23, 45]
    """
    return [diameter_px * 2.0 ** (step * min(spread, _WIDEST)) for step in _STEPS]


def try_sizes(
    read: Reader,
    shape: tuple[int, int],
    pipeline: Pipeline,
    diameters_px: Sequence[float],
    *,
    channel_names: Sequence[str] = (),
) -> list[Fit]:
    """Segment a window of an image as if its objects had each of several sizes.

    The window is chosen among the pixels that have data, by the first channel that the pipeline sees.

    Args:
        read: function that returns the C×Y×X pixels in the given rows and columns.
        shape: (Y, X) of the image.
        pipeline: a pipeline that was trained at a known diameter, with the polarity of the image.
        diameters_px: diameters to try, in pixels of the image.
        channel_names: one name per channel, or empty.

    Returns:
        A fit for each diameter at which the network can be run.

    Raises:
        ValueError: the image lacks a channel that the pipeline needs, or contains NaN.
    """
    plain = replace(pipeline, tta=False)
    channels = pipeline.preprocess.channels

    def selected(rows: slice, columns: slice) -> np.ndarray:
        return select_channels(read(rows, columns), channels, channel_names=channel_names)

    fits: dict[float, Fit] = {}
    at_scale: dict[float | None, Fit] = {}
    for diameter_px in diameters_px:
        try:
            settings = plain.preprocess.for_objects(diameter_px)
        except ValueError:  # the scale would be too extreme
            continue
        if settings.zoom not in at_scale:  # sizes that differ little are tried at one scale
            network_px = min(_SIDE_PX, *pipeline.tiles.size)
            side = min(_MOST_SIDE_PX, max(1, round(network_px / (settings.zoom or 1.0))))
            pixels = read(*_telling_window(selected, shape, side))
            fit = _fit(pixels, replace(plain, preprocess=settings), diameter_px, channel_names)
            at_scale[settings.zoom] = fit
        fits[diameter_px] = replace(at_scale[settings.zoom], tried_px=diameter_px)
    return list(fits.values())


def best_fit(fits: Sequence[Fit]) -> Fit | None:
    """Return the fit whose objects have the size that was tried and of which the network is certain.

    Args:
        fits: from `try_sizes`.

    Returns:
        The best fit; None if no objects were found at any size.

    >>> best_fit([Fit(10, 24, 5, 0.9), Fit(25, 24, 5, 0.9), Fit(60, math.nan, 0, 0)]).tried_px
    25
    """
    found = [fit for fit in fits if fit.objects]
    return min(found, key=lambda fit: fit.deviation + _DOUBT * (1 - fit.certainty), default=None)


def _fit(pixels: np.ndarray, pipeline: Pipeline, diameter_px: float, channel_names: Sequence[str]) -> Fit:
    zoom = pipeline.preprocess.zoom or 1.0
    prepared = prepare_and_measure(pixels, pipeline.preprocess, channel_names=channel_names)
    maps = pipeline.maps(predict(prepared.pixels, pipeline.network, pipeline.tiles))
    foreground = maps["foreground"]
    if prepared.missing is not None:
        foreground = maps["foreground"] = np.where(prepared.missing, np.float32(0), foreground)
    labels = label_objects(maps, pipeline.postprocess)
    seen = foreground[foreground > _SEEN]
    certainty = float(np.abs(2 * seen - 1).mean()) if len(seen) else 0.0
    return Fit(diameter_px, typical_diameter_px(labels) / zoom, int(labels.max()), certainty)


def _telling_window(read: Reader, shape: tuple[int, int], side: int) -> Box:
    """Return the window of a given side, among nine, in which a few rows have the highest contrast.

    A margin without data, whose edge would have a high contrast, is left out.
    """
    box = slice(0, shape[0]), slice(0, shape[1])
    if side >= max(shape):
        return box
    if (margins := glimpsed_margins(read, shape)) is not None:
        box = margins.box
    lengths = [axis.stop - axis.start for axis in box]
    height, width = (min(side, length) for length in lengths)
    tops, lefts = (
        sorted({axis.start + round(share * (length - part)) for share in (0, 0.5, 1)})
        for axis, length, part in zip(box, lengths, (height, width), strict=True)
    )
    windows = [(slice(top, top + height), slice(left, left + width)) for top in tops for left in lefts]

    def contrast(window: Box) -> float:
        return row_contrast(read if margins is None else partial(_filled, read, margins), window, _ROWS)

    return max(windows, key=contrast) if len(windows) > 1 else windows[0]


def _filled(read: Reader, margins: Margins, rows: slice, columns: slice) -> np.ndarray:
    return margins.filled(read(rows, columns), rows, columns)
