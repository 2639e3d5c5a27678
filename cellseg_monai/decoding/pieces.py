"""Connected pieces of a mask, known by the stretches of pixels along the rows that they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

__all__ = ["Pieces"]

# Of masks with more runs than one in so many pixels, such as noise, scipy's search over the pixels is the faster one.
_PIXELS_A_RUN = 24


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pixels that hang together by their edges, as runs: stretches of pixels along a row.

    Of images of cells, runs are far fewer than pixels, and so what is done with them costs next to nothing.

    Args:
        shape: Y and X.
        starts: of each run the index of the first pixel in the flat image, increasing.
        lengths: of each run.
        numbers: of each run the piece, from 1 on.
        count: how many pieces there are; where some are left out, the greatest number at least.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    count: int

    @classmethod
    def of(cls, mask: np.ndarray) -> Pieces:
        """The pieces of a YX bool mask, numbered in the order of their first pixels.

        >>> Pieces.of(np.array([[1, 1, 0, 1], [0, 0, 0, 1]], bool)).dense
        array([[1, 1, 0, 2],
               [0, 0, 0, 2]], dtype=int32)
        """
        shape = (int(mask.shape[0]), int(mask.shape[1]))
        pitch = shape[1] + 1  # with a column of background at its end, no run goes on in the next row
        wider: np.ndarray = np.zeros(shape[0] * pitch + 1, bool)
        wider[1:].reshape(shape[0], pitch)[:, :-1] = mask
        changes = np.flatnonzero(wider[1:] != wider[:-1])
        begins, ends = changes[::2], changes[1::2]
        starts, lengths = begins - begins // pitch, ends - begins
        if len(begins) * _PIXELS_A_RUN > mask.size:
            del wider, changes, begins, ends
            numbers, count = ndimage.label(mask)
            return cls(shape, starts, lengths, numbers.ravel()[starts], count)
        # In the next row, those that end after the beginning of a run, and begin before its end.
        first = np.searchsorted(ends, begins + pitch, side="right")
        below = np.maximum(np.searchsorted(begins, ends + pitch, side="left") - first, 0)
        links: np.ndarray = np.append(0, np.cumsum(below))
        others = np.arange(links[-1]) + np.repeat(first - links[:-1], below)
        # In the types that scipy would bring them to.
        graph = csr_array(
            (np.ones(len(others)), others.astype(np.int32), links.astype(np.int32)), shape=(len(begins), len(begins))
        )
        count, found = connected_components(graph, directed=False)
        return cls(shape, starts, lengths, found.astype(np.int32) + 1, int(count))

    def painted(self, table: np.ndarray) -> np.ndarray:
        """An image in which each piece has one value, and all else is 0.

        Args:
            table: the value of each number, from 0 on.

        Returns:
            YX of the dtype of `table`.

        >>> Pieces.of(np.array([[1, 0, 1]], bool)).painted(np.array([0, 7, 9]))
        array([[7, 0, 9]])
        """
        values: np.ndarray = np.zeros(2 * len(self.starts) + 1, table.dtype)
        values[1::2] = table[self.numbers]
        # Before each run and after the last lies what is no piece.
        edges: np.ndarray = np.zeros(2 * len(self.starts) + 2, np.intp)
        edges[1:-1:2], edges[2:-1:2] = self.starts, self.starts + self.lengths
        edges[-1] = self.shape[0] * self.shape[1]
        return np.repeat(values, np.diff(edges)).reshape(self.shape)

    @cached_property
    def dense(self) -> np.ndarray:
        """The number of the piece at each pixel, YX int32; 0 is background."""
        return self.painted(np.arange(self.count + 1, dtype=np.int32))

    def number_at(self, pixels: np.ndarray) -> np.ndarray:
        """The piece at each of some pixels, which all lie in one, by their indices in the flat image.

        >>> Pieces.of(np.array([[1, 1, 0, 1]], bool)).number_at(np.array([3, 1])).tolist()
        [2, 1]
        """
        return np.asarray(self.numbers[np.searchsorted(self.starts, pixels, side="right") - 1])

    def runs_of(self, number: int) -> np.ndarray:
        """Which runs make up a piece.

        >>> Pieces.of(np.array([[1, 0, 1], [1, 0, 0]], bool)).runs_of(1).tolist()
        [0, 2]
        """
        order, ends = self.by_number
        return order[ends[number - 1] : ends[number]]

    @cached_property
    def by_number(self) -> tuple[np.ndarray, np.ndarray]:
        """All runs, piece after piece, and where those of each piece end."""
        order = np.argsort(self.numbers, kind="stable")
        return order, np.asarray(np.searchsorted(self.numbers[order], np.arange(self.count + 1), side="right"))

    @cached_property
    def boxes(self) -> np.ndarray:
        """Top, left, bottom and right of each piece, from number 1 on, bottom and right being those after the last.

        >>> Pieces.of(np.array([[0, 1, 1], [0, 1, 0]], bool)).boxes.tolist()
        [[0, 1, 2, 3]]
        """
        rows, columns = np.divmod(self.starts, max(1, self.shape[1]))
        boxes: np.ndarray = np.zeros((self.count, 4), np.intp)
        boxes[:, :2] = max(self.shape)
        at: np.ndarray = self.numbers - 1
        for side, places in ((0, rows), (1, columns)):
            np.minimum.at(boxes[:, side], at, places)
        for side, places in ((2, rows + 1), (3, columns + self.lengths)):
            np.maximum.at(boxes[:, side], at, places)
        return boxes

    @cached_property
    def at_border(self) -> np.ndarray:
        """Which pieces touch the border of the image, bool, from number 1 on."""
        return np.asarray((self.boxes[:, :2] == 0).any(axis=1) | (self.boxes[:, 2:] == self.shape).any(axis=1))
