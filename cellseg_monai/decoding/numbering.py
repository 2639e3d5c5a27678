"""Areas of objects, and their final ids: 1 to n in the order of their first pixels."""

from __future__ import annotations

import numpy as np

__all__ = ["areas_and_first_pixels", "numbers_in_order"]


def areas_and_first_pixels(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area and the first pixel of each id.

    Args:
        ids: for each run, as `id_runs` returns them, its id: integers from 0.
        starts: for each run, the index of its first pixel in the flattened image.
        lengths: for each run, its number of pixels.

    Returns:
        For each id, from 0 on: its area in pixels; the index of its first pixel in the flattened image, 0 if it has
        none.

    >>> from cellseg_monai.labels.relabel import id_runs
    >>> areas_and_first_pixels(*id_runs(np.array([[0, 3, 3], [0, 1, 3]])))
    (array([2, 1, 0, 3]), array([0, 4, 0, 1]))
    """
    areas = np.bincount(ids, lengths).astype(np.intp)
    # Written in reverse, so that the first pixel of each id is the last one written.
    first_pixels: np.ndarray = np.zeros(len(areas), np.intp)
    first_pixels[ids[::-1]] = starts[::-1]
    return areas, first_pixels


def numbers_in_order(areas: np.ndarray, first_pixels: np.ndarray, min_area_px: int) -> np.ndarray:
    """Number the objects that are large enough, in the order of their first pixels; the others get 0.

    Args:
        areas: for each object, its number of pixels.
        first_pixels: for each object, the index of its first pixel in the flattened image.
        min_area_px: objects of fewer pixels, or none, get no number.

    Returns:
        int64, one for each object, 0 to n.

    >>> numbers_in_order(np.array([9, 2, 5]), np.array([40, 0, 7]), min_area_px=4)
    array([2, 0, 1])
    """
    kept = np.flatnonzero(areas >= max(min_area_px, 1))
    numbers: np.ndarray = np.zeros(len(areas), np.int64)
    numbers[kept[np.argsort(first_pixels[kept])]] = np.arange(1, len(kept) + 1)
    return numbers
