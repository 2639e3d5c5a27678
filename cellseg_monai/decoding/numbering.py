"""Compute object areas and final ids, which run from 1 to n in the order of the objects' first pixels."""

from __future__ import annotations

import numpy as np

__all__ = ["areas_and_first_pixels", "numbers_in_order"]


def areas_and_first_pixels(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area and the first pixel of each id.

    Runs are described by the same three arrays as in `id_runs`.

    Args:
        ids: non-negative integers, the id of each run.
        starts: index of the first pixel of each run in the flattened image.
        lengths: number of pixels in each run.

    Returns:
        Two arrays indexed by id. The first holds the area in pixels. The second holds the index of the first pixel in
        the flattened image, or 0 if the id does not occur.

    >>> from cellseg_monai.labels.relabel import id_runs
    >>> areas_and_first_pixels(*id_runs(np.array([[0, 3, 3], [0, 1, 3]])))
    (array([2, 1, 0, 3]), array([0, 4, 0, 1]))
    """
    areas = np.bincount(ids, lengths).astype(np.intp)
    # Assign in reverse order, so that the first pixel of each id is assigned last and wins.
    first_pixels: np.ndarray = np.zeros(len(areas), np.intp)
    first_pixels[ids[::-1]] = starts[::-1]
    return areas, first_pixels


def numbers_in_order(areas: np.ndarray, first_pixels: np.ndarray, min_area_px: int) -> np.ndarray:
    """Number the objects that are large enough, in the order of their first pixels.

    Args:
        areas: number of pixels in each object.
        first_pixels: index of each object's first pixel in the flattened image.
        min_area_px: objects with fewer pixels are dropped; objects without any pixel are dropped in any case.

    Returns:
        int64 array with one number per object: 1 to n, or 0 for a dropped object.

    >>> numbers_in_order(np.array([9, 2, 5]), np.array([40, 0, 7]), min_area_px=4)
    array([2, 0, 1])
    """
    kept = np.flatnonzero(areas >= max(min_area_px, 1))
    numbers: np.ndarray = np.zeros(len(areas), np.int64)
    numbers[kept[np.argsort(first_pixels[kept])]] = np.arange(1, len(kept) + 1)
    return numbers
