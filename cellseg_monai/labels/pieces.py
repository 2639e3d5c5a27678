"""Connected pieces of the foreground, worked through some at a time, so that memory does not grow with the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from cellseg_monai.boxes import Box
from cellseg_monai.labels.relabel import look_up

__all__ = ["Pieces"]

# So many are worked on at once.
_BOX_PIXELS = 2**22


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pixels that hang together by their edges.

    Args:
        numbers: YX int32, from 1 in the order of the first pixels, 0 is background.
        count: how many pieces there are; in a part of an image, the greatest number at least.
    """

    numbers: np.ndarray
    count: int

    @classmethod
    def of(cls, mask: np.ndarray) -> Pieces:
        """The pieces of a YX bool mask."""
        return cls(*ndimage.label(mask))

    @cached_property
    def places(self) -> list[Box]:
        """The box around each, from that of number 1 on; None where there is no such number."""
        return ndimage.find_objects(self.numbers) if self.numbers.size else []

    def boxes(self, wanted: np.ndarray | None = None, margin: int = 0) -> Iterator[tuple[Box, Pieces]]:
        """Boxes that hold some whole pieces each, and together every wanted piece once.

        Pieces are numbered from row to row, so that a box is some rows of a large image, or the whole of a small one.
        It is larger only where a single piece is.

        Args:
            wanted: bool, one for each number from 0 on; that of the background does not count. None: all.
            margin: pixels around the pieces that a box has as well, as far as the image goes.

        Yields:
            The place of a box; its pieces, and nothing else of the image, in this box.

        >>> pieces = Pieces.of(np.array([[1, 1, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]], bool))
        >>> for box, some in pieces.boxes(np.array([0, 1, 0, 1], bool)):
        ...     print(some.numbers)
        [[1 1]
         [0 0]
         [3 0]]
        """
        if self.numbers.size <= _BOX_PIXELS:
            yield from self._box(wanted, margin)
            return
        numbers: np.ndarray = np.arange(1, self.count + 1) if wanted is None else np.flatnonzero(wanted[1:]) + 1
        # Where each begins, below 0, and ends: the greatest of each is the box around several.
        edges = np.array([[side for part in self.places[i - 1] for side in (-part.start, part.stop)] for i in numbers])
        while len(numbers):
            bounds = np.maximum.accumulate(edges, axis=0)
            areas = (bounds[:, 0] + bounds[:, 1]) * (bounds[:, 2] + bounds[:, 3])
            count = max(1, int(np.searchsorted(areas, _BOX_PIXELS, side="right")))
            top, bottom, left, right = bounds[count - 1].tolist()
            box = slice(max(-top - margin, 0), bottom + margin), slice(max(-left - margin, 0), right + margin)
            yield box, self._among(numbers[:count], box)
            numbers, edges = numbers[count:], edges[count:]

    def _box(self, wanted: np.ndarray | None, margin: int) -> Iterator[tuple[Box, Pieces]]:
        """One box for all wanted pieces, if there are any; found without looking for each piece, which takes longer."""
        some = self if wanted is None else self._among(np.flatnonzero(wanted[1:]) + 1, (slice(None), slice(None)))
        rows, columns = (np.flatnonzero(some.numbers.any(axis=axis)) for axis in (1, 0))
        if rows.size:
            box: Box = (
                slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
                slice(max(columns[0] - margin, 0), columns[-1] + 1 + margin),
            )
            yield box, Pieces(some.numbers[box], self.count)

    def _among(self, numbers: np.ndarray, box: Box) -> Pieces:
        """These pieces within a box."""
        if len(numbers) == self.count:
            return Pieces(self.numbers[box], self.count)
        kept: np.ndarray = np.zeros(self.count + 1, np.int32)
        kept[numbers] = numbers
        return Pieces(look_up(kept, self.numbers[box]), self.count)
