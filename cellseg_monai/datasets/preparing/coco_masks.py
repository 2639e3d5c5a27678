"""Converting COCO segmentations to masks: polygons, and run lengths with or without compression.

pycocotools is not used, because it would add a compiled dependency to save about 40 lines. The tests compare these
functions with values worked out by hand, and with areas from pycocotools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cellseg_monai.datasets.preparing.merging import Mask, cropped

__all__ = ["annotation_mask", "decode_counts", "polygons_mask", "run_lengths_mask"]

_FEWEST_COORDINATES = 6  # a triangle


def annotation_mask(segmentation: Any, shape: tuple[int, int]) -> Mask:
    """Return the mask for an annotation's `segmentation`.

    Args:
        segmentation: a list of polygons, or an object with `size` and `counts` (a string if compressed, otherwise a
            list of numbers).
        shape: (height, width) of the image in pixels. Parts of polygons outside the image are cut off.

    Raises:
        ValueError: the segmentation is neither of the two, or its run lengths are for another image size.
    """
    if isinstance(segmentation, dict) and {"counts", "size"} <= segmentation.keys():
        counts, size = segmentation["counts"], segmentation["size"]
        if size != list(shape):
            raise ValueError(f"got run lengths for an image of size {size!r} (height, width), expected {list(shape)}")
        return run_lengths_mask(decode_counts(counts) if isinstance(counts, str) else counts, shape)
    if isinstance(segmentation, list) and all(isinstance(polygon, list) for polygon in segmentation):
        return polygons_mask(segmentation, shape)
    raise ValueError(f"got a segmentation of type {type(segmentation).__name__}, expected polygons or run lengths")


def polygons_mask(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> Mask:
    """Return the mask of all pixels whose centre is inside at least one polygon.

    COCO measures from the corner of the first pixel, so the centre of pixel 3 is at 3.5. A pixel centre on an edge
    shared by two polygons belongs to only one of them. (pycocotools draws cells about half a per cent larger.)

    Args:
        polygons: one list of coordinates x, y, x, y, ... per polygon. Polygons with fewer than three points are
            ignored.
        shape: (height, width) of the image in pixels.

    Raises:
        ValueError: the coordinates are not pairs of finite numbers.

    >>> polygons_mask([[1, 0, 3, 0, 3, 1, 1, 1]], (4, 4))
    Mask(row=0, column=1, pixels=array([[ True,  True]]))
    """
    parts = [np.asarray(flat, float).reshape(-1, 2) - 0.5 for flat in polygons if len(flat) >= _FEWEST_COORDINATES]
    if not parts:
        return Mask(0, 0, np.zeros((0, 0), bool))
    points = np.concatenate(parts)
    if not np.isfinite(points).all():
        raise ValueError("got a polygon with NaN or infinite coordinates, expected finite coordinates")
    low = np.clip(np.floor(points.min(axis=0)), 0, shape[::-1]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, low, shape[::-1]).astype(int)
    pixels: np.ndarray = np.zeros((high - low)[::-1], bool)
    for part in parts:
        pixels |= _inside(part - low, pixels.shape)
    row, column, pixels = cropped(pixels)
    return Mask(row + int(low[1]), column + int(low[0]), pixels)


def _inside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the mask of the pixels inside a polygon, which are those with an odd number of edges to their left.

    Args:
        points: n × 2 array of (x, y) in pixels, measured from the centre of the first pixel.
        shape: (height, width) of the mask in pixels.
    """
    (x, y), (next_x, next_y) = points.T, np.roll(points, -1, axis=0).T
    height, width = shape
    rows, edges = np.nonzero((y <= np.arange(height)[:, None]) != (next_y <= np.arange(height)[:, None]))
    crossings = x[edges] + (rows - y[edges]) * (next_x - x)[edges] / (next_y - y)[edges]
    columns = np.clip(np.ceil(crossings), 0, width).astype(int)
    counts = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1)).reshape(height, width + 1)
    return np.cumsum(counts, axis=1)[:, :width] % 2 == 1


def run_lengths_mask(counts: Sequence[int], shape: tuple[int, int]) -> Mask:
    """Return the mask for uncompressed run lengths, which go down one column after the other.

    Args:
        counts: run lengths in pixels, alternating between background and object, starting with background.
        shape: (height, width) of the image in pixels.

    Raises:
        ValueError: the run lengths are not integers, or do not add up to the size of the image.

    >>> run_lengths_mask([2, 3, 1], (2, 3))
    Mask(row=0, column=1, pixels=array([[ True,  True],
           [ True, False]]))
    """
    lengths = np.asarray(counts)
    if lengths.dtype.kind != "i":
        raise ValueError("got run lengths that are too large or not integers, expected pixel counts")
    if lengths.size == 0 or lengths.min() < 0 or lengths.sum() != shape[0] * shape[1]:
        raise ValueError(f"got run lengths that add up to {lengths.sum()}, expected {shape[0] * shape[1]} pixels")
    filled: np.ndarray = 2 * np.flatnonzero(lengths[1::2]) + 1
    if not len(filled):
        return Mask(0, 0, np.zeros((0, 0), bool))
    # Expand only the columns that the object covers: an image can be large, and most objects are small.
    first, last, height = filled[0], filled[-1], shape[0]
    begin, end = int(lengths[:first].sum()), int(lengths[: last + 1].sum())
    left, right = begin // height, -(-end // height)
    lengths = np.r_[begin - left * height, lengths[first : last + 1], right * height - end]
    flat: np.ndarray = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    row, column, pixels = cropped(flat.reshape(right - left, height).T)
    return Mask(row, column + left, pixels)


def decode_counts(text: str) -> list[int]:
    """Decode a string of compressed run lengths in COCO's format.

    Each number is split into groups of five bits, lowest first. A group becomes one character, with the code of "0"
    plus the value of the group. If 32 is added to a group, another group follows. If bit 16 of the last group is set,
    the number is negative. The fourth and later numbers are stored as differences from the number two places earlier.

    Raises:
        ValueError: the string is incomplete, or contains characters that COCO does not use.

    >>> decode_counts("232")
    [2, 3, 2]
    >>> decode_counts("2320")  # the fourth number is 0 more than the second
    [2, 3, 2, 3]
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"got the character {character!r} in compressed run lengths, which COCO does not use")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the compressed run lengths end in the middle of a number")
    return counts
