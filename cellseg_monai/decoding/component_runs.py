"""Connected components of a mask, stored as runs of pixels along the rows.

In images of cells there are far fewer runs than pixels. Finding components, their boxes and their borders, or painting
an image with one value for each, therefore costs next to nothing compared with work on pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

__all__ = ["ComponentRuns"]

# If there is more than one run for this many pixels, as in noise, scipy.ndimage.label is faster.
_PIXELS_PER_RUN = 24


@dataclass(frozen=True, eq=False)
class ComponentRuns:
    """The components of pixels that are connected by their edges, as runs along the rows.

    Args:
        shape: (Y, X) of the image.
        starts: for each run, the index of its first pixel in the flattened image, increasing.
        lengths: for each run, its number of pixels.
        numbers: for each run, the number of its component, from 1.
        count: number of components; if some are left out, at least the highest number.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    count: int

    @classmethod
    def from_mask(cls, mask: np.ndarray) -> ComponentRuns:
        """Find the components of a Y×X bool mask, numbered in the order of their first pixels.

        >>> ComponentRuns.from_mask(np.array([[1, 1, 0, 1], [0, 0, 0, 1]], bool)).label_image
        array([[1, 1, 0, 2],
               [0, 0, 0, 2]], dtype=int32)
        """
        shape = (int(mask.shape[0]), int(mask.shape[1]))
        pitch = shape[1] + 1  # a column of background at the end, so that no run continues in the next row
        padded: np.ndarray = np.zeros(shape[0] * pitch + 1, bool)
        padded[1:].reshape(shape[0], pitch)[:, :-1] = mask
        changes = np.flatnonzero(padded[1:] != padded[:-1])
        begins, ends = changes[::2], changes[1::2]
        starts, lengths = begins - begins // pitch, ends - begins
        if len(begins) * _PIXELS_PER_RUN > mask.size:
            del padded, changes, begins, ends
            labels, count = ndimage.label(mask)
            return cls(shape, starts, lengths, labels.ravel()[starts], count)
        # Neighbours in the next row end after the beginning of a run and begin before its end.
        first = np.searchsorted(ends, begins + pitch, side="right")
        below = np.maximum(np.searchsorted(begins, ends + pitch, side="left") - first, 0)
        links: np.ndarray = np.append(0, np.cumsum(below))
        neighbours = np.arange(links[-1]) + np.repeat(first - links[:-1], below)
        # In the types that scipy would convert them to.
        graph = csr_array(
            (np.ones(len(neighbours)), neighbours.astype(np.int32), links.astype(np.int32)),
            shape=(len(begins), len(begins)),
        )
        count, numbers = connected_components(graph, directed=False)
        return cls(shape, starts, lengths, numbers.astype(np.int32) + 1, int(count))

    def paint(self, table: np.ndarray) -> np.ndarray:
        """Return an image with one value for each component, and 0 elsewhere.

        Args:
            table: the value of each component by its number; entry 0 is not used.

        Returns:
            Y×X in the dtype of `table`.

        >>> ComponentRuns.from_mask(np.array([[1, 0, 1]], bool)).paint(np.array([0, 7, 9]))
        array([[7, 0, 9]])
        """
        # Values alternate between the background before a run and the run itself, and end with background.
        values: np.ndarray = np.zeros(2 * len(self.starts) + 1, table.dtype)
        values[1::2] = table[self.numbers]
        edges: np.ndarray = np.zeros(2 * len(self.starts) + 2, np.intp)
        edges[1:-1:2], edges[2:-1:2] = self.starts, self.starts + self.lengths
        edges[-1] = self.shape[0] * self.shape[1]
        return np.repeat(values, np.diff(edges)).reshape(self.shape)

    @cached_property
    def label_image(self) -> np.ndarray:
        """The number of the component at each pixel, Y×X int32; 0 is background."""
        return self.paint(np.arange(self.count + 1, dtype=np.int32))

    def numbers_at(self, pixels: np.ndarray) -> np.ndarray:
        """Return the number of the component at each of some pixels.

        Args:
            pixels: indices in the flattened image, all of them within components.

        >>> ComponentRuns.from_mask(np.array([[1, 1, 0, 1]], bool)).numbers_at(np.array([3, 1])).tolist()
        [2, 1]
        """
        return np.asarray(self.numbers[np.searchsorted(self.starts, pixels, side="right") - 1])

    def runs_of(self, number: int) -> np.ndarray:
        """Return the indices of the runs of one component.

        >>> ComponentRuns.from_mask(np.array([[1, 0, 1], [1, 0, 0]], bool)).runs_of(1).tolist()
        [0, 2]
        """
        order, ends = self.by_component
        return order[ends[number - 1] : ends[number]]

    @cached_property
    def by_component(self) -> tuple[np.ndarray, np.ndarray]:
        """The indices of all runs, component after component, and where those of each component end."""
        order = np.argsort(self.numbers, kind="stable")
        return order, np.asarray(np.searchsorted(self.numbers[order], np.arange(self.count + 1), side="right"))

    @cached_property
    def boxes(self) -> np.ndarray:
        """Top, left, bottom and right of each component, from number 1 on; bottom and right are exclusive.

        >>> ComponentRuns.from_mask(np.array([[0, 1, 1], [0, 1, 0]], bool)).boxes.tolist()
        [[0, 1, 2, 3]]
        """
        rows, columns = np.divmod(self.starts, max(1, self.shape[1]))
        boxes: np.ndarray = np.zeros((self.count, 4), np.intp)
        boxes[:, :2] = max(self.shape)
        component: np.ndarray = self.numbers - 1
        for side, places in ((0, rows), (1, columns)):
            np.minimum.at(boxes[:, side], component, places)
        for side, places in ((2, rows + 1), (3, columns + self.lengths)):
            np.maximum.at(boxes[:, side], component, places)
        return boxes

    @cached_property
    def touches_border(self) -> np.ndarray:
        """Bool for each component, from number 1 on: True if it touches the border of the image."""
        return np.asarray((self.boxes[:, :2] == 0).any(axis=1) | (self.boxes[:, 2:] == self.shape).any(axis=1))
