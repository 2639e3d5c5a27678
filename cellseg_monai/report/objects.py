"""Where objects lie, how large and how bright they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Objects", "measure_objects"]


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a label image, in the order of their ids.

    Args:
        ids: of each.
        areas_px: of each.
        rows: of each, the Y of its centre.
        columns: of each, the X of its centre.
        intensities: of each, the mean of its pixels; empty where there is no image.
    """

    ids: np.ndarray
    areas_px: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    intensities: np.ndarray

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Where these ids stand in `ids`."""
        return np.asarray(np.searchsorted(self.ids, ids))


def measure_objects(labels: np.ndarray, values: np.ndarray | None = None) -> Objects:
    """Measure every object of a label image.

    Args:
        labels: YX ids of any integer dtype, 0 is background.
        values: YX, what was measured at each pixel.

    >>> found = measure_objects(np.array([[0, 900, 900], [7, 0, 0]]), np.array([[0, 1, 2], [5, 0, 0]]))
    >>> found.ids, found.areas_px, found.columns, found.intensities
    (array([  7, 900]), array([1, 2]), array([0. , 1.5]), array([5. , 1.5]))
    """
    rows, columns = np.nonzero(labels)
    ids, which = np.unique(labels[rows, columns], return_inverse=True)
    areas = np.bincount(which, minlength=len(ids))

    def mean(weights: np.ndarray) -> np.ndarray:
        return np.bincount(which, weights, minlength=len(ids)) / areas

    intensities: np.ndarray = np.zeros(0) if values is None else mean(values[rows, columns])
    return Objects(ids, areas, mean(rows), mean(columns), intensities)
