"""Views of an image: small square pictures at several resolutions, from which a network tells what the image shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.pixels import Margins, find_margins
from cellseg_monai.pixels.margin_search import glimpsed_margins
from cellseg_monai.pixels.normalise import scale_between

__all__ = [
    "FACTORS",
    "SIDE_PX",
    "View",
    "intensity_range",
    "is_flat",
    "is_tiny",
    "row_contrast",
    "shrunk",
    "views_of",
]

SIDE_PX = 160
"""Side of a view, in pixels of the view."""

FACTORS = (1, 2, 4, 8)
"""Numbers of image pixels along the side of a pixel of a view."""

_PLACES = (2, 1)  # views at the resolution of the image, and at each lower one at which one does not show all of it
_LEAST_SIDE_PX = 32  # smaller images tell next to nothing
_CONTRAST_ROWS = 4  # rows of a window that tell its contrast
_CUT_OFF = 0.15  # share of a window that may lie beyond a view of the whole image
_SAMPLE_PX = 2**15  # pixels that give the range of intensities
_PERCENTILES = (0.5, 99.5)
_WHOLE_PX = 2**22  # images up to this size are read once, which is faster than in many parts
_FLAT = 0.85  # share of equal neighbours above which areas have a single value
_FEW = 3  # up to this many values, an image is a mask
_STEP = 1.5  # median step between areas, in levels, above which the areas are drawn, and not due to coarse levels

Read = Callable[[slice, slice], np.ndarray]
"""A function that returns the C×Y×X pixels in the given rows and columns, with one or three channels."""


class View(NamedTuple):
    """A view of an image.

    Args:
        pixels: 3×Y×X float32 from 0 to 1, `SIDE_PX` on each side; 0 beyond the border of the image.
        factor: number of image pixels along the side of a pixel of the view.
        rows: rows of the image that the view shows.
        columns: columns of the image that the view shows.
        missing: Y×X bool, True where the image has no data; None if it has data wherever a view can lie.
    """

    pixels: np.ndarray
    factor: int
    rows: slice
    columns: slice
    missing: np.ndarray | None = None


def views_of(read: Read, shape: tuple[int, int]) -> list[View]:
    """Return views of an image at its own resolution and at a half, a quarter and an eighth of it.

    At each resolution, one or two views show the parts with the highest contrast, until one shows the whole image.
    Intensities are scaled by percentiles of a sample of the image, the same for all channels, so that colours keep
    their hue. A margin without data (see `pixels.find_margins`) is cut off as far as a box around the data leaves it
    out. What remains of it has the median of the data, and no part in the percentiles.

    Args:
        read: see `Read`.
        shape: (Y, X) of the image.

    >>> image = np.random.default_rng(0).random((1, 300, 500))
    >>> [(view.factor, view.rows, view.columns) for view in views_of(lambda y, x: image[:, y, x], (300, 500))][-1]
    (4, slice(0, 300, None), slice(0, 500, None))
    """
    read, box, margins = _with_data(read, shape)
    low, high = _range_in(read, box, margins)
    views = []
    for factor in FACTORS:
        for rows, columns in _windows(read, box, factor * SIDE_PX, _PLACES[factor > 1]):
            scaled = _scaled(read(rows, columns), factor, low, high)
            pixels: np.ndarray = np.zeros((3, SIDE_PX, SIDE_PX), np.float32)
            pixels[:, : scaled.shape[1], : scaled.shape[2]] = scaled
            missing = None if margins is None else _missing(margins, rows, columns, factor)
            views.append(View(pixels, factor, rows, columns, missing))
        if all(len(_starts(axis, factor * SIDE_PX)) == 1 for axis in box):
            break
    return views


def _scaled(part: np.ndarray, factor: int, low: float, high: float) -> np.ndarray:
    """Return a part of an image, made smaller, as C×Y×X float32 from 0 at `low` to 1 at `high`."""
    if part.dtype.kind == "f" or part.dtype.itemsize > 4:
        # Such values, or sums of them, can lie beyond the range of float32.
        return shrunk(scale_between(part.astype(np.float64), low, high, clip=True), factor)
    small = shrunk(part, factor)
    return np.clip((small - low) / (high - low), 0, 1) if high > low else np.zeros_like(small)


def intensity_range(read: Read, shape: tuple[int, int]) -> tuple[float, float]:
    """Return the percentiles of pixels in evenly spaced rows."""
    return _range_in(read, (slice(0, shape[0]), slice(0, shape[1])), None)


def _range_in(read: Read, box: Box, margins: Margins | None) -> tuple[float, float]:
    """Return the percentiles of pixels with data in evenly spaced rows of a box."""
    (top, bottom), (left, right) = ((axis.start, axis.stop) for axis in box)
    count = max(1, min(bottom - top, _SAMPLE_PX // max(1, right - left)))
    rows = np.unique(np.linspace(top, bottom - 1, count).astype(int))
    columns = np.arange(left, right)[:: max(1, len(rows) * (right - left) // _SAMPLE_PX)]
    lines = [read(slice(row, row + 1), box[1])[:, 0, columns - left] for row in rows.tolist()]
    if margins is not None and (has_data := ~margins.at(rows, columns)).any():
        lines = [line[:, place] for line, place in zip(lines, has_data, strict=True)]
    sample = np.concatenate([line.ravel() for line in lines])
    low, high = np.percentile(sample.astype(np.float64), _PERCENTILES)
    if low == high:  # such as a few objects on a background of a single value
        low, high = sample.min(), sample.max()
    return float(low), float(high)


def _with_data(read: Read, shape: tuple[int, int]) -> tuple[Read, Box, Margins | None]:
    """Return a function that reads an image without its margins, the box around its data, and the margins."""
    whole = slice(0, shape[0]), slice(0, shape[1])
    is_small = math.prod(shape) <= _WHOLE_PX
    source = _part_of(read(*whole)) if is_small else read
    margins = find_margins(source, shape) if is_small else glimpsed_margins(source, shape)
    if margins is None:
        return source, whole, None
    if is_small and not margins(*margins.box).any():  # the box leaves all of it out
        return source, margins.box, None
    if is_small:
        return _part_of(margins.filled(source(*whole), *whole)), margins.box, margins
    return lambda rows, columns: margins.filled(read(rows, columns), rows, columns), margins.box, margins


def _part_of(image: np.ndarray) -> Read:
    return lambda rows, columns: image[:, rows, columns]


def _missing(margins: Margins, rows: slice, columns: slice, factor: int) -> np.ndarray:
    """Return a mask of a view, True where the middle of its pixel has no data."""
    missing: np.ndarray = np.zeros((SIDE_PX, SIDE_PX), bool)
    middles = [np.arange(axis.start + factor // 2, axis.stop, factor)[:SIDE_PX] for axis in (rows, columns)]
    missing[: len(middles[0]), : len(middles[1])] = margins.at(*middles)
    return missing


def is_flat(views: Sequence[View]) -> bool:
    """Return True if views consist of areas of a single value, like constant pictures, masks and drawings.

    No camera gives such images. An image that was stored with few levels has such areas, too, but there, neighbouring
    areas differ by a single level. Only the views with the highest resolution are judged, where the image has data.

    Args:
        views: views of one image, from `views_of`.
    """
    finest = min(view.factor for view in views)
    judged = [view for view in views if view.factor == finest]
    pixels = np.stack([view.pixels for view in judged])
    is_bright = pixels[..., 1:] > 0
    for bright, view in zip(is_bright, judged, strict=True):
        if view.missing is not None:
            bright[:, view.missing[:, 1:]] = False
    is_equal = is_bright & (pixels[..., 1:] == pixels[..., :-1])
    counts = is_bright.sum(axis=(0, 2, 3))
    if not (is_equal.sum(axis=(0, 2, 3)) >= _FLAT * counts).all():
        return False
    levels = np.unique(pixels)
    if len(levels) <= _FEW:
        return True
    steps = np.abs(np.diff(pixels, axis=-1))
    return float(np.median(steps[steps > 0])) > _STEP * float(np.diff(levels).min())


def is_tiny(views: Sequence[View]) -> bool:
    """Return True if the part of an image that has data is too small to tell what it shows.

    Args:
        views: views of one image, from `views_of`.
    """
    rows, columns = views[0].rows, views[0].columns  # of all data, unless they are larger than a view
    return min(rows.stop - rows.start, columns.stop - columns.start) < _LEAST_SIDE_PX


def _windows(read: Read, box: Box, side: int, most: int) -> list[Box]:
    """Return the windows of a box with a given side that have the highest contrast, or the box if it is smaller."""
    tops, lefts = (_starts(axis, side) for axis in box)
    windows = [
        (slice(top, min(top + side, box[0].stop)), slice(left, min(left + side, box[1].stop)))
        for top in tops
        for left in lefts
    ]
    if len(windows) > most:
        contrasts = [row_contrast(read, window, _CONTRAST_ROWS, step=2) for window in windows]
        best = sorted(range(len(windows)), key=lambda number: -contrasts[number])[:most]
        windows = [windows[number] for number in best]
    return windows


def _starts(axis: slice, side: int) -> list[int]:
    """Return the starts of up to four evenly spaced windows along an axis."""
    length = axis.stop - axis.start
    count = min(4, math.ceil(length / side - _CUT_OFF))
    if count <= 1:
        return [axis.start]
    return [axis.start + round(number * (length - side) / (count - 1)) for number in range(count)]


def row_contrast(read: Read, window: Box, count: int, step: int = 1) -> float:
    """Return the standard deviation of the first channel in a few evenly spaced rows of a window.

    Args:
        read: see `Read`.
        window: the window.
        count: number of rows.
        step: distance of the pixels in a row.
    """
    rows, columns = window
    sampled = np.linspace(rows.start, rows.stop - 1, count).astype(int).tolist()
    return float(np.std([read(slice(row, row + 1), columns)[0, 0, ::step] for row in sampled], dtype=np.float64))


def shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of squares of pixels, as C×Y×X float32; squares that the border cuts are left out."""
    if factor == 1:
        return pixels.astype(np.float32)
    height, width = pixels.shape[1] // factor, pixels.shape[2] // factor
    if 0 in (height, width):
        return pixels[:, :1, :1].astype(np.float32)
    whole = pixels[:, : height * factor, : width * factor]
    # Adding slices is several times as fast as the mean along two axes.
    rows = np.add.reduce([whole[:, start::factor].astype(np.float32) for start in range(factor)])
    return np.asarray(np.add.reduce([rows[:, :, start::factor] for start in range(factor)]) / np.float32(factor**2))
