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
    # Stretches along a row that share an id: a small part of the pixels, whose places a large image has no room for.
    begins: np.ndarray = np.ones(labels.shape, bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=labels.size)
    kept = labels.ravel()[starts] != 0
    ids, which = np.unique(labels.ravel()[starts[kept]], return_inverse=True)
    rows, columns = np.divmod(starts[kept], max(1, labels.shape[1]))
    long = lengths[kept]
    areas = np.bincount(which, long, minlength=len(ids)).astype(np.int64)

    def mean(sums: np.ndarray) -> np.ndarray:
        return np.bincount(which, sums, minlength=len(ids)) / areas

    intensities: np.ndarray = np.zeros(0)
    if values is not None and len(starts):
        intensities = mean(np.add.reduceat(values.ravel(), starts, dtype=np.float64)[kept])
    return Objects(ids, areas, mean(long * rows), mean(long * (columns + (long - 1) / 2)), intensities)
