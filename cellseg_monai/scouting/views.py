"""Views of an image: small square pictures at several resolutions, from which a network tells what the image shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["FACTORS", "SIDE_PX", "View", "intensity_range", "is_flat", "shrunk", "views_of"]

SIDE_PX = 160
"""Side of a view, in pixels of the view."""

FACTORS = (1, 2, 4, 8)
"""Numbers of image pixels along the side of a pixel of a view."""

_PLACES = (2, 1)  # views at the resolution of the image, and at each lower one at which one does not show all of it
_CONTRAST_ROWS = 4  # rows of a window that tell its contrast
_CUT_OFF = 0.15  # share of a window that may lie beyond a view of the whole image
_SAMPLE_PX = 2**15  # pixels that give the range of intensities
_PERCENTILES = (0.5, 99.5)
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
    """

    pixels: np.ndarray
    factor: int
    rows: slice
    columns: slice


def views_of(read: Read, shape: tuple[int, int]) -> list[View]:
    """Return views of an image at its own resolution and at a half, a quarter and an eighth of it.

    At each resolution, one or two views show the parts with the highest contrast, until one shows the whole image.
    Intensities are scaled by percentiles of a sample of the image, the same for all channels, so that colours keep
    their hue.

    Args:
        read: see `Read`.
        shape: (Y, X) of the image.

    >>> image = np.random.default_rng(0).random((1, 300, 500))
    >>> [(view.factor, view.rows, view.columns) for view in views_of(lambda y, x: image[:, y, x], (300, 500))][-1]
    (4, slice(0, 300, None), slice(0, 500, None))
    """
    low, high = intensity_range(read, shape)
    views = []
    for factor in FACTORS:
        for rows, columns in _windows(read, shape, factor * SIDE_PX, _PLACES[factor > 1]):
            part = shrunk(read(rows, columns), factor)
            scaled = np.clip((part - low) / (high - low), 0, 1) if high > low else np.zeros_like(part)
            pixels: np.ndarray = np.zeros((3, SIDE_PX, SIDE_PX), np.float32)
            pixels[:, : scaled.shape[1], : scaled.shape[2]] = scaled
            views.append(View(pixels, factor, rows, columns))
        if all(len(_starts(length, factor * SIDE_PX)) == 1 for length in shape):
            break
    return views


def intensity_range(read: Read, shape: tuple[int, int]) -> tuple[float, float]:
    """Return the percentiles of pixels in evenly spaced rows."""
    height, width = shape
    count = max(1, min(height, _SAMPLE_PX // max(1, width)))
    rows = np.unique(np.linspace(0, height - 1, count).astype(int))
    step = max(1, len(rows) * width // _SAMPLE_PX)
    sample = np.concatenate([read(slice(row, row + 1), slice(0, width))[:, 0, ::step].ravel() for row in rows.tolist()])
    low, high = np.percentile(sample.astype(np.float64), _PERCENTILES)
    if low == high:  # such as a few objects on a background of a single value
        low, high = sample.min(), sample.max()
    return float(low), float(high)


def is_flat(views: Sequence[View]) -> bool:
    """Return True if views consist of areas of a single value, like constant pictures, masks and drawings.

    No camera gives such images. An image that was stored with few levels has such areas, too, but there, neighbouring
    areas differ by a single level. Only the views with the highest resolution are judged.

    Args:
        views: views of one image, from `views_of`.
    """
    finest = min(view.factor for view in views)
    pixels = np.stack([view.pixels for view in views if view.factor == finest])
    is_bright = pixels[..., 1:] > 0
    is_equal = is_bright & (pixels[..., 1:] == pixels[..., :-1])
    counts = is_bright.sum(axis=(0, 2, 3))
    if not (is_equal.sum(axis=(0, 2, 3)) >= _FLAT * counts).all():
        return False
    levels = np.unique(pixels)
    if len(levels) <= _FEW:
        return True
    steps = np.abs(np.diff(pixels, axis=-1))
    return float(np.median(steps[steps > 0])) > _STEP * float(np.diff(levels).min())


def _windows(read: Read, shape: tuple[int, int], side: int, most: int) -> list[tuple[slice, slice]]:
    """Return the windows of a given side with the highest contrast, or the whole image if it is smaller."""
    axes = [_starts(length, side) for length in shape]
    places = [(top, left) for top in axes[0] for left in axes[1]]
    windows = [(slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1]))) for top, left in places]
    if len(windows) > most:
        contrasts = [_contrast(read, *window) for window in windows]
        best = sorted(range(len(windows)), key=lambda number: -contrasts[number])[:most]
        windows = [windows[number] for number in best]
    return windows


def _starts(length: int, side: int) -> list[int]:
    """Return the starts of up to four evenly spaced windows along an axis."""
    count = min(4, math.ceil(length / side - _CUT_OFF))
    return [round(number * (length - side) / (count - 1)) for number in range(count)] if count > 1 else [0]


def _contrast(read: Read, rows: slice, columns: slice) -> float:
    sampled = np.linspace(rows.start, rows.stop - 1, _CONTRAST_ROWS).astype(int).tolist()
    return float(np.std([read(slice(row, row + 1), columns)[0, 0, ::2] for row in sampled], dtype=np.float64))


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
