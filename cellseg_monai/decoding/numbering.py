"""Objects measured and numbered: 1 to n, in the order of their first pixels."""

from __future__ import annotations

import numpy as np

__all__ = ["areas_and_firsts", "numbers_in_order"]


def areas_and_firsts(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many pixels an id has, and which is the first.

    Args:
        ids: of runs as `id_runs` gives them, integers from 0 on.
        starts: of each the first pixel.
        lengths: of each.

    Returns:
        For each id, from 0 on: the area; the index of the first pixel in the flat image, 0 where there is none.

    >>> from cellseg_monai.labels.relabel import id_runs
    >>> areas_and_firsts(*id_runs(np.array([[0, 3, 3], [0, 1, 3]])))
    (array([2, 1, 0, 3]), array([0, 4, 0, 1]))
    """
    areas = np.bincount(ids, lengths).astype(np.intp)
    # Written from the end, so that the first pixel of each id stays.
    first: np.ndarray = np.zeros(len(areas), np.intp)
    first[ids[::-1]] = starts[::-1]
    return areas, first


def numbers_in_order(areas: np.ndarray, firsts: np.ndarray, min_area_px: int) -> np.ndarray:
    """A number for each object of enough pixels, in the order of the first pixels; 0 for the others.

    Args:
        areas: pixels of each object.
        firsts: of each the first pixel, as an index in the flat image.
        min_area_px: objects of fewer pixels, or none, get no number.

    Returns:
        int64, 0 to n.

    >>> numbers_in_order(np.array([9, 2, 5]), np.array([40, 0, 7]), min_area_px=4)
    array([2, 0, 1])
    """
    kept = np.flatnonzero(areas >= max(min_area_px, 1))
    numbers: np.ndarray = np.zeros(len(areas), np.int64)
    numbers[kept[np.argsort(firsts[kept])]] = np.arange(1, len(kept) + 1)
    return numbers
