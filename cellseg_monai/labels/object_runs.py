"""The pixels of a crop's objects as runs along the rows, and sums over them: far fewer than pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.labels.crops import Crop
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["ObjectRuns"]


@dataclass(frozen=True, eq=False)
class ObjectRuns:
    """The stretches of pixels of a crop's objects, object after object, in each from row to row.

    Args:
        pixels: of all of them, where they are in the flat crop.
        first: of each object, the position of its first run.
        rows: of each.
        columns: the first of each.
        lengths: of each.
        areas: of each object.
    """

    pixels: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    lengths: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, crop: Crop) -> ObjectRuns:
        """The runs of all objects of a crop."""
        numbers, starts, lengths = crop.runs
        background = np.count_nonzero(numbers == 0)
        order = np.argsort(numbers, kind="stable")[background:]
        first = np.asarray(np.searchsorted(numbers[order], np.arange(1, len(crop.ids) + 1)))
        rows, columns = np.divmod(starts[order], max(1, crop.shape[1]))
        starts, lengths = starts[order], lengths[order]
        areas = np.add.reduceat(lengths, first)
        narrow = np.int32 if crop.shape[0] * crop.shape[1] < 2**31 else np.int64
        return cls(run_pixels(starts.astype(narrow), lengths), first, rows, columns, lengths, areas)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Of values one a run."""
        return np.add.reduceat(values, self.first)

    def mean(self, image: np.ndarray) -> np.ndarray:
        """Of the pixels of each object, YX values of the crop."""
        return self._reduced(np.add, image.ravel()[self.pixels].astype(np.float64)) / self.areas

    def brightness(self, image: np.ndarray, name: str) -> dict[str, np.ndarray]:
        """The columns of a channel, YX values of the crop."""
        values = image.ravel()[self.pixels]
        lowest, highest = (self._reduced(extreme, values) for extreme in (np.minimum, np.maximum))
        return {f"mean_{name}": self.mean(image), f"min_{name}": lowest, f"max_{name}": highest}

    def _reduced(self, by: np.ufunc, values: np.ndarray) -> np.ndarray:
        """Values one a pixel, of each object put together."""
        return np.asarray(by.reduceat(values, np.cumsum(self.areas) - self.areas))
