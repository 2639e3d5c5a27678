"""The convex hulls of many objects, all at once and in whole numbers."""

from __future__ import annotations

import numpy as np

__all__ = ["convex_areas", "hull_rows"]


def convex_areas(first: np.ndarray, rows: np.ndarray, lefts: np.ndarray, rights: np.ndarray) -> np.ndarray:
    """The pixels within or on the convex hull of each object, as `skimage.measure.regionprops` counts `area_convex`.

    Args:
        first: of each object, the position of its first row in what follows.
        rows: the rows that have pixels of an object, object after object, increasing within each.
        lefts: the first column of the object in each of these rows.
        rights: the last column.

    Returns:
        One int64 an object.

    >>> convex_areas(np.array([0]), np.array([0, 1, 2]), np.array([0, 0, 0]), np.array([2, 0, 2]))  # a C
    array([9])
    """
    if not len(first):
        return np.zeros(0, np.int64)
    begins, left, right = hull_rows(first, rows, lefts, rights)
    return np.add.reduceat(right - left + 1, begins)


def hull_rows(
    first: np.ndarray, rows: np.ndarray, lefts: np.ndarray, rights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The convex hull of each object, row by row.

    A pixel stands for the middles of its four edges, so that a single one has an extent. scikit-image builds every
    hull by Qhull; here the left and right sides of all objects are pruned together until nothing caves in, which is
    faster. The numbers are the same (tests compare them).

    Args:
        first: as for `convex_areas`; of one object at least.
        rows: as there, and so on.
        lefts: as there.
        rights: as there.

    Returns:
        Of each object, the position of its first row in what follows; and of each of its rows, from the first to the
        last, whether or not it has pixels there, the first and the last column within or on the hull.

    >>> hull_rows(np.array([0]), np.array([4, 6]), np.array([1, 1]), np.array([3, 1]))
    (array([0]), array([1, 1, 1]), array([3, 2, 1]))
    """
    last = np.r_[first[1:], len(rows)] - 1
    heights = rows[last] - rows[first] + 1
    begins = np.r_[0, np.cumsum(heights)[:-1]]
    base = np.r_[0, np.cumsum(2 * heights + 1)]  # in a common count of half rows, where that of each object begins
    offset = base[:-1] - 2 * rows[first] + 1
    middles = 2 * rows + np.repeat(offset, last - first + 1)
    asked = np.repeat(base[:-1] + 1 - 2 * begins, heights) + 2 * np.arange(heights.sum())
    return begins, -_side(middles, -2 * lefts, base, asked), _side(middles, 2 * rights, base, asked)


def _side(middles: np.ndarray, reach: np.ndarray, base: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """How far to the right a pixel may lie, in each row, and be within the hull.

    Args:
        middles: of each row of an object, its place in half rows.
        reach: the last pixel of each, in half columns.
        base: where the half rows of each object begin, and where the last one's end.
        asked: the rows for which the answer is wanted, in half rows.

    Returns:
        Whole columns.
    """
    nothing = np.iinfo(np.int64).min
    outermost: np.ndarray = np.full(base[-1], nothing)
    outermost[middles] = reach + 1
    for step in (-1, 1):  # rows share edges, but none shares its upper edge with another's upper one
        outermost[middles + step] = np.maximum(outermost[middles + step], reach)
    at = np.flatnonzero(outermost != nothing)
    values, owner = outermost[at], np.asarray(np.searchsorted(base, at, side="right"))
    while True:
        (a, b, c), (u, v, w) = ((each[:-2], each[1:-1], each[2:]) for each in (at, values))
        caves: np.ndarray = np.zeros(len(at), bool)
        caves[1:-1] = ((v - u) * (c - a) <= (w - u) * (b - a)) & (owner[:-2] == owner[2:])
        if not caves.any():
            break
        # A point below the line between its neighbours is no corner, whether or not they are.
        at, values, owner = at[~caves], values[~caves], owner[~caves]
    after = np.asarray(np.searchsorted(at, asked))
    span = at[after] - at[after - 1]
    reached = values[after - 1] * span + (values[after] - values[after - 1]) * (asked - at[after - 1])
    return reached // (2 * span)
