"""The pixels of an image between its border and its data; see `margin_search` for how they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.pixels.scale import nearest_pixels

__all__ = ["Margins"]

_BLOCK_PX = 2**20  # pixels of a mask that are held in memory at a time


@dataclass(frozen=True, eq=False)
class Margins:
    """The pixels between the border of an image and its data, row by row and column by column.

    Args:
        left: for each row, the number of pixels without data at its start.
        right: for each row, the column after the last pixel with data.
        top: for each column, the number of pixels without data at its start.
        bottom: for each column, the row after the last pixel with data.
        fill: median of the data in each channel.
    """

    left: np.ndarray
    right: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    fill: np.ndarray

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a Y×X mask of a window, True where there are no data."""
        return self._among(rows, columns, np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop))

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return a Y×X mask of the given rows and columns, True where there are no data."""
        return self._among(rows, columns, rows, columns)

    def _among(self, lines: Any, places: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the mask of rows and columns, which are also given as slices if they are consecutive."""
        y, x = rows[:, np.newaxis], columns[np.newaxis]
        missing = (x < self.left[lines, np.newaxis]) | (x >= self.right[lines, np.newaxis])
        missing |= y < self.top[np.newaxis, places]
        missing |= y >= self.bottom[np.newaxis, places]
        return np.asarray(missing)

    def resampled(self, to: tuple[int, int]) -> Margins:
        """Return the margins of the image resampled to a (Y, X) shape, so that no label reaches into them.

        A pixel has no data if any pixel of this image has none that is nearest to it, in `scale.rescale_labels` to
        that shape or back.
        """
        shape = len(self.left), len(self.top)
        if to == shape:
            return self
        rows, columns = (_Nearest.between(*lengths) for lengths in zip(shape, to, strict=True))
        return Margins(
            np.asarray(np.searchsorted(columns.first, rows.largest(self.left))),
            np.asarray(np.searchsorted(columns.last, rows.smallest(self.right))),
            np.asarray(np.searchsorted(rows.first, columns.largest(self.top))),
            np.asarray(np.searchsorted(rows.last, columns.smallest(self.bottom))),
            self.fill,
        )

    @property
    def box(self) -> Box:
        """The smallest box that contains all data."""
        rows, columns = np.flatnonzero(self.left < self.right), np.flatnonzero(self.top < self.bottom)
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    @property
    def share(self) -> float:
        """Share of the image without data."""
        height, width = len(self.left), len(self.top)
        step = max(1, _BLOCK_PX // width)
        blocks = (slice(top, min(top + step, height)) for top in range(0, height, step))
        return sum(np.count_nonzero(self(rows, slice(0, width))) for rows in blocks) / (height * width)

    def filled(self, pixels: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Return a C×Y×X window with the median of the data where there are none, in the dtype of `pixels`."""
        fill = self.fill.astype(pixels.dtype)[:, np.newaxis, np.newaxis]
        return np.where(self(rows, columns), fill, pixels)


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The lines of an image that are nearest to each line of a resampled image, there or back.

    Args:
        first: for each line of the resampled image, the first such line.
        last: for each line of the resampled image, the last such line.
        of_each: for each line of the image, the line of the resampled image that is nearest to it.
    """

    first: np.ndarray
    last: np.ndarray
    of_each: np.ndarray

    @classmethod
    def between(cls, length: int, resampled: int) -> _Nearest:
        """Return the lines for an image and a resampled image of these lengths."""
        lines = nearest_pixels(length, resampled)
        of_each = nearest_pixels(resampled, length)
        first, last = lines.copy(), lines.copy()
        np.minimum.at(first, of_each, np.arange(length))
        np.maximum.at(last, of_each, np.arange(length))
        return cls(first, last, of_each)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Return the largest value among the lines that belong to each line of the resampled image."""
        found = values[self.first]
        np.maximum.at(found, self.of_each, values)
        return found

    def smallest(self, values: np.ndarray) -> np.ndarray:
        """Return the smallest value among the lines that belong to each line of the resampled image."""
        return -self.largest(-values)
