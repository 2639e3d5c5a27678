"""The pixels of a crop's objects as runs along the rows, and sums over them: far fewer than pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.labels.crops import Crop
from cellseg_monai.labels.relabel import id_runs

__all__ = ["ObjectRuns"]


@dataclass(frozen=True, eq=False)
class ObjectRuns:
    """The stretches of pixels of a crop's objects, object after object, in each from row to row.

    Args:
        starts: of every run of the crop, also those of no object, its first pixel in the flat crop.
        order: which of them these are.
        first: of each object, the position of its first run among these.
        rows: of each.
        columns: the first of each.
        lengths: of each.
        areas: of each object.
    """

    starts: np.ndarray
    order: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    lengths: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, crop: Crop) -> ObjectRuns:
        """The runs of all objects of a crop."""
        numbers, starts, lengths = id_runs(crop.numbers, by_row=True)
        background = np.count_nonzero(numbers == 0)
        order = np.argsort(numbers, kind="stable")[background:]
        first = np.asarray(np.searchsorted(numbers[order], np.arange(1, len(crop.ids) + 1)))
        rows, columns = np.divmod(starts[order], max(1, crop.numbers.shape[1]))
        areas = np.add.reduceat(lengths[order], first)
        return cls(starts, order, first, rows, columns, lengths[order], areas)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Of values one a run."""
        return np.add.reduceat(values, self.first)

    def mean(self, pixels: np.ndarray) -> np.ndarray:
        """Of the pixels of each object."""
        return self.sums(np.add.reduceat(pixels.ravel().astype(np.float64), self.starts)[self.order]) / self.areas

    def brightness(self, pixels: np.ndarray, name: str) -> dict[str, np.ndarray]:
        """The columns of a channel."""
        flat = pixels.ravel()
        lowest, highest = (
            extreme.reduceat(extreme.reduceat(flat, self.starts)[self.order], self.first)
            for extreme in (np.minimum, np.maximum)
        )
        return {f"mean_{name}": self.mean(flat), f"min_{name}": lowest, f"max_{name}": highest}
