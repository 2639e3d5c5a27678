"""The convex hulls of many objects, computed together in integer arithmetic."""

from __future__ import annotations

import numpy as np

__all__ = ["convex_areas", "hull_rows"]


def convex_areas(first: np.ndarray, rows: np.ndarray, lefts: np.ndarray, rights: np.ndarray) -> np.ndarray:
    """Return the area of each object's convex hull, counted like `area_convex` in `skimage.measure.regionprops`.

    Args:
        first: index in `rows` of the first row of each object.
        rows: rows that contain pixels of an object, object after object, in increasing order within each object.
        lefts: first column of the object in each of these rows.
        rights: last column of the object in each of these rows.

    Returns:
        The number of pixels within or on the hull, as one int64 per object.

    >>> convex_areas(np.array([0]), np.array([0, 1, 2]), np.array([0, 0, 0]), np.array([2, 0, 2]))  # the shape of a C
    array([9])
    """
    if not len(first):
        return np.zeros(0, np.int64)
    begins, left, right = hull_rows(first, rows, lefts, rights)
    return np.add.reduceat(right - left + 1, begins)


def hull_rows(
    first: np.ndarray, rows: np.ndarray, lefts: np.ndarray, rights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the convex hull of each object, row by row.

    Each pixel is represented by the midpoints of its four edges, so that even a single pixel has an extent.
    scikit-image builds each hull with Qhull. This function prunes the left and right sides of all objects together
    until all are convex, which is faster. The results are the same, as tests confirm.

    Args:
        first: index in `rows` of the first row of each object; there must be at least one object.
        rows: rows that contain pixels of an object, object after object, in increasing order within each object.
        lefts: first column of the object in each of these rows.
        rights: last column of the object in each of these rows.

    Returns:
        Three arrays. The first gives, for each object, the index of its first row in the other two. The other two give
        the first and the last column within or on the hull, for every row of the object from its first to its last,
        including rows without pixels.

    >>> hull_rows(np.array([0]), np.array([4, 6]), np.array([1, 1]), np.array([3, 1]))
    (array([0]), array([1, 1, 1]), array([3, 2, 1]))
    """
    last = np.r_[first[1:], len(rows)] - 1
    heights = rows[last] - rows[first] + 1
    begins = np.r_[0, np.cumsum(heights)[:-1]]
    base = np.r_[0, np.cumsum(2 * heights + 1)]  # first half row of each object, numbered across all objects
    offset = base[:-1] - 2 * rows[first] + 1
    middles = 2 * rows + np.repeat(offset, last - first + 1)
    wanted = np.repeat(base[:-1] + 1 - 2 * begins, heights) + 2 * np.arange(heights.sum())
    return begins, -_side(middles, -2 * lefts, base, wanted), _side(middles, 2 * rights, base, wanted)


def _side(middles: np.ndarray, reach: np.ndarray, base: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the rightmost column within the hull, for each of the wanted rows.

    Args:
        middles: half row at the centre of each row with pixels.
        reach: last pixel in each of these rows, in half columns.
        base: first half row of each object, and the end of the last object.
        wanted: half rows for which to return the column.

    Returns:
        Whole columns, one for each wanted row.
    """
    nothing = np.iinfo(np.int64).min
    outermost: np.ndarray = np.full(base[-1], nothing)
    outermost[middles] = reach + 1
    for step in (-1, 1):  # neighbouring rows share an edge, but within one step no index repeats
        outermost[middles + step] = np.maximum(outermost[middles + step], reach)
    corners = np.flatnonzero(outermost != nothing)
    values, owner = outermost[corners], np.asarray(np.searchsorted(base, corners, side="right"))
    while True:
        (a, b, c), (u, v, w) = ((points[:-2], points[1:-1], points[2:]) for points in (corners, values))
        inside: np.ndarray = np.zeros(len(corners), bool)
        inside[1:-1] = ((v - u) * (c - a) <= (w - u) * (b - a)) & (owner[:-2] == owner[2:])
        if not inside.any():
            break
        # A point below the line between its neighbours is not a corner, whether or not the neighbours are corners.
        corners, values, owner = corners[~inside], values[~inside], owner[~inside]
    after = np.asarray(np.searchsorted(corners, wanted))
    span = corners[after] - corners[after - 1]
    reached = values[after - 1] * span + (values[after] - values[after - 1]) * (wanted - corners[after - 1])
    return reached // (2 * span)
