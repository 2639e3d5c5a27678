"""Find margins without data, as in stitched, shifted or rotated images and in round fields of view.

Such a margin has a single value, which is no intensity. If it counted as one, it would set the range of intensities,
and the background could look like cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.pixels.margins import Margins

__all__ = ["find_margins", "glimpsed_margins"]

_LEAST_SHARE = 0.5  # of the shorter side of the image, in pixels: half a row is enough
_LEAST_GAP = 0.02  # distance of the margin's value from those of the data, as a share of their range
_PERCENTILES = (0.5, 50.0, 99.5)
_MOST_VALUE = 0.01  # share of the data that may have the margin's value
_LEAST_VALUES, _COUNTED_PX = 8, 4096  # number of values in the data, and of pixels in which they are counted
_LEAST_DATA = 0.2  # share of an image with data above which they are no object, whatever their shape
# Below it, data are a field of view if they are a rectangle, or round and larger than objects.
_RECTANGLE, _ROUND = 0.95, 0.7  # least share of the box around the data that they fill
_LEAST_SIDES_PX = 64, 256  # least sides of the box
_SAMPLED_ROWS = 64
_GLIMPSED = (64, 512)  # rows and columns of an image that are read for a glimpse

Read = Callable[[slice, slice], np.ndarray]
"""A function that returns the C×Y×X pixels in the given rows and columns."""


def find_margins(read: Read, shape: tuple[int, int], windows: Iterable[Box] | None = None) -> Margins | None:
    """Find the margins of an image without data.

    A margin consists of pixels that all have the lowest or the highest value of the border in every channel, and that a
    straight line of such pixels along a row or a column joins to the border. It counts if it is larger than half a row,
    and if its value is rare among the other pixels and well outside their range. A dark or flat background is therefore
    no margin. If less than a fifth of the image is left, it must look like a field of view and not like an object: a
    rectangle, or round and at least 256 pixels high and wide.

    Args:
        read: see `Read`.
        shape: (Y, X) of the image.
        windows: windows that cover the image, in which it is read; None to read it whole.

    Returns:
        The margins, or None if all pixels have data, or none have.

    >>> image = 100 + np.arange(48).reshape(1, 6, 8)
    >>> image[0, 0] = 0
    >>> margins = find_margins(lambda rows, columns: image[:, rows, columns], (6, 8))
    >>> margins(slice(0, 2), slice(0, 3))
    array([[ True,  True,  True],
           [False, False, False]])
    """
    return _found(read, shape, windows or [(slice(0, shape[0]), slice(0, shape[1]))])


def _found(read: Read, shape: tuple[int, int], windows: Iterable[Box], step: float = 1.0) -> Margins | None:
    """Return the margins of an image of which every so many pixels are known along an axis, on average."""
    covering = list(windows)
    for value in _values_of_border(read, shape):
        margins = _accepted(_joined_to_border(read, shape, covering, value), read, value, step)
        if margins is not None:
            return margins
    return None


def glimpsed_margins(read: Read, shape: tuple[int, int]) -> Margins | None:
    """Find margins like `find_margins`, from a few rows of the image only.

    Where the border between margin and data runs between the rows and columns that are read, pixels with data can
    count as margin, but not the other way round.

    Args:
        read: see `Read`.
        shape: (Y, X) of the image.
    """
    down, across = (
        np.unique(np.linspace(0, length - 1, min(length, most)).astype(int))
        for length, most in zip(shape, _GLIMPSED, strict=True)
    )

    def thinned(rows: slice, columns: slice) -> np.ndarray:
        picked = across[columns]
        window = slice(int(picked[0]), int(picked[-1]) + 1)
        lines = [read(slice(row, row + 1), window)[:, :, picked - picked[0]] for row in down[rows].tolist()]
        return np.concatenate(lines, axis=1)

    known = len(down), len(across)
    step = math.sqrt(math.prod(shape) / math.prod(known))
    found = _found(thinned, known, [(slice(0, known[0]), slice(0, known[1]))], step)
    if found is None:
        return None
    left, right = _between_lines(found.left, found.right, down, across, shape)
    top, bottom = _between_lines(found.top, found.bottom, across, down, (shape[1], shape[0]))
    return Margins(left, right, top, bottom, found.fill)


def _between_lines(
    firsts: np.ndarray, lasts: np.ndarray, lines: np.ndarray, places: np.ndarray, lengths: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last place with data in all lines of an image, given those in some lines.

    Args:
        firsts: for each known line, the number of known places without data at its start.
        lasts: for each known line, the number of the known place after the last with data.
        lines: numbers of the known lines, in order, with the first and the last line of the image.
        places: numbers of the known places in a line.
        lengths: number of lines in the image, and of places in a line.
    """
    known_firsts = np.append(places, lengths[1])[firsts]
    known_lasts = np.insert(places + 1, 0, 0)[lasts]
    every = np.arange(lengths[0])
    before, after = np.searchsorted(lines, every, side="right") - 1, np.searchsorted(lines, every)
    return (
        np.maximum(known_firsts[before], known_firsts[after]),
        np.minimum(known_lasts[before], known_lasts[after]),
    )


def _joined_to_border(read: Read, shape: tuple[int, int], windows: Iterable[Box], value: np.ndarray) -> Margins:
    """Return the pixels of a value that straight lines of such pixels join to the border."""
    left, top = np.full(shape[0], shape[1]), np.full(shape[1], shape[0])
    right: np.ndarray = np.zeros(shape[0], int)
    bottom: np.ndarray = np.zeros(shape[1], int)
    for rows, columns in windows:
        has_data = (read(rows, columns) != value[:, np.newaxis, np.newaxis]).any(axis=0)
        for first, last, line, start, axis in (
            (left, right, rows, columns.start, 1),
            (top, bottom, columns, rows.start, 0),
        ):
            is_lit = has_data.any(axis=axis)
            firsts = np.where(is_lit, start + has_data.argmax(axis=axis), first[line])
            flipped = np.flip(has_data, axis=axis).argmax(axis=axis)
            lasts = np.where(is_lit, start + has_data.shape[axis] - flipped, last[line])
            first[line], last[line] = np.minimum(first[line], firsts), np.maximum(last[line], lasts)
    return Margins(left, right, top, bottom, value)


def _values_of_border(read: Read, shape: tuple[int, int]) -> list[np.ndarray]:
    """Return the lowest and the highest value of the border in each channel, if at least half a row has it."""
    if min(shape) < 3:
        return []
    height, width = (slice(0, length) for length in shape)
    sides = [
        read(height, slice(0, 1)), read(height, slice(shape[1] - 1, shape[1])),
        read(slice(0, 1), width), read(slice(shape[0] - 1, shape[0]), width),
    ]  # fmt: skip
    border = np.concatenate([side.reshape(len(side), -1) for side in sides], axis=1)
    least = max(3, _LEAST_SHARE * min(shape))
    extremes = (border.min(axis=1), border.max(axis=1))
    return [value for value in extremes if (border == value[:, np.newaxis]).all(axis=0).sum() >= least]


def _accepted(margins: Margins, read: Read, value: np.ndarray, step: float) -> Margins | None:
    """Return the margins with the median of the data, or None if they are too small or not unlike the data."""
    height, width = len(margins.left), len(margins.top)
    share = margins.share
    if share * height * width < _LEAST_SHARE * min(height, width) or not _may_be_a_field(margins, share, step):
        return None
    box, across = margins.box[0], slice(0, width)
    rows = np.unique(np.linspace(box.start, box.stop - 1, _SAMPLED_ROWS).astype(int))
    has_data = ~margins.at(rows, np.arange(width))
    lines = (read(slice(row, row + 1), across)[:, 0] for row in rows.tolist())
    data = np.concatenate([line[:, place] for line, place in zip(lines, has_data, strict=True)], axis=1)
    # Objects on a flat background have its value between them, and drawings have few values.
    is_value = (data == value[:, np.newaxis]).all(axis=0)
    some = data[:, :: max(1, data.shape[1] // _COUNTED_PX)]
    if is_value.mean() > _MOST_VALUE or max(len(np.unique(channel)) for channel in some) < _LEAST_VALUES:
        return None
    data = data[:, ~is_value]  # such as saturated pixels in a white margin
    low, middle, high = np.percentile(data.astype(np.float64), _PERCENTILES, axis=1)
    gap = np.maximum(low - value, value - high)
    if not (gap >= _LEAST_GAP * np.maximum(high - low, 1e-9)).any():
        return None
    if data.dtype.kind in "biu":
        middle = np.round(middle)
    return Margins(margins.left, margins.right, margins.top, margins.bottom, middle)


def _may_be_a_field(margins: Margins, share: float, step: float) -> bool:
    """Return True if what is left within margins is large or has the shape of a field of view.

    Args:
        margins: the margins.
        share: share of the image that they cover.
        step: distance of known pixels along an axis.
    """
    if share >= 1:
        return False
    if share <= 1 - _LEAST_DATA:
        return True
    sides = [axis.stop - axis.start for axis in margins.box]
    filled = (1 - share) * len(margins.left) * len(margins.top) / math.prod(sides)
    least = _LEAST_SIDES_PX[0] if filled >= _RECTANGLE else _LEAST_SIDES_PX[1]
    return filled >= _ROUND and min(sides) * step >= least
