"""Represent the objects in a crop by runs of pixels, which are far fewer than pixels, and sum values over the runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.labels.crops import Crop
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["ObjectRuns"]


@dataclass(frozen=True, eq=False)
class ObjectRuns:
    """The runs of pixels in a crop's objects, object after object, and row after row within each object.

    Args:
        pixels: indices of the pixels in all runs, in the flattened crop.
        first: index of the first run of each object.
        rows: row of each run.
        columns: first column of each run.
        lengths: number of pixels in each run.
        areas: number of pixels in each object.
    """

    pixels: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    lengths: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, crop: Crop) -> ObjectRuns:
        """Return the runs of all objects in a crop."""
        numbers, starts, lengths = crop.runs
        background = np.count_nonzero(numbers == 0)
        order = np.argsort(numbers, kind="stable")[background:]
        first = np.asarray(np.searchsorted(numbers[order], np.arange(1, len(crop.ids) + 1)))
        rows, columns = np.divmod(starts[order], max(1, crop.shape[1]))
        starts, lengths = starts[order], lengths[order]
        areas = np.add.reduceat(lengths, first)
        index_dtype = np.int32 if crop.shape[0] * crop.shape[1] < 2**31 else np.int64
        return cls(run_pixels(starts.astype(index_dtype), lengths), first, rows, columns, lengths, areas)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum values over the runs of each object, given one value per run."""
        return np.add.reduceat(values, self.first)

    def mean(self, image: np.ndarray) -> np.ndarray:
        """Return the mean of an image over the pixels of each object; the image is YX with the shape of the crop."""
        return self._reduced(np.add, image.ravel()[self.pixels].astype(np.float64)) / self.areas

    def brightness(self, image: np.ndarray, name: str) -> dict[str, np.ndarray]:
        """Return the brightness columns of one channel, which is YX with the shape of the crop."""
        values = image.ravel()[self.pixels]
        lowest, highest = (self._reduced(extreme, values) for extreme in (np.minimum, np.maximum))
        return {f"mean_{name}": self.mean(image), f"min_{name}": lowest, f"max_{name}": highest}

    def _reduced(self, operation: np.ufunc, values: np.ndarray) -> np.ndarray:
        """Reduce values over the pixels of each object, given one value per pixel."""
        return np.asarray(operation.reduceat(values, np.cumsum(self.areas) - self.areas))
