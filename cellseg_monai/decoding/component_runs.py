"""Connected components of a mask, stored as runs of pixels along the rows.

An image of cells has far fewer runs than pixels. Finding the components, their bounding boxes and which of them touch
the border, or painting an image with one value per component, therefore costs next to nothing compared with work on
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

__all__ = ["ComponentRuns"]

# scipy.ndimage.label is faster if there are fewer pixels per run than this, as in noise.
_PIXELS_PER_RUN = 24


@dataclass(frozen=True, eq=False)
class ComponentRuns:
    """Components of edge-connected pixels, stored as runs along the rows.

    Args:
        shape: (Y, X) of the image.
        starts: index of the first pixel of each run in the flattened image, in increasing order.
        lengths: number of pixels in each run.
        numbers: component number of each run; components are numbered from 1.
        count: number of components. In a subset of components, it is at least the highest component number.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    count: int

    @classmethod
    def from_mask(cls, mask: np.ndarray) -> ComponentRuns:
        """Find the components of a Y×X bool mask and number them in the order of their first pixels.

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
        # A run's neighbours in the next row end after the run begins, and begin before it ends.
        first = np.searchsorted(ends, begins + pitch, side="right")
        below = np.maximum(np.searchsorted(begins, ends + pitch, side="left") - first, 0)
        links: np.ndarray = np.append(0, np.cumsum(below))
        neighbours = np.arange(links[-1]) + np.repeat(first - links[:-1], below)
        # SciPy would convert the arrays to these types anyway.
        graph = csr_array(
            (np.ones(len(neighbours)), neighbours.astype(np.int32), links.astype(np.int32)),
            shape=(len(begins), len(begins)),
        )
        count, numbers = connected_components(graph, directed=False)
        return cls(shape, starts, lengths, numbers.astype(np.int32) + 1, int(count))

    def paint(self, table: np.ndarray) -> np.ndarray:
        """Return an image in which each component has one value and the background is 0.

        Args:
            table: values indexed by component number; entry 0 is ignored.

        Returns:
            Y×X array with the dtype of `table`.

        >>> ComponentRuns.from_mask(np.array([[1, 0, 1]], bool)).paint(np.array([0, 7, 9]))
        array([[7, 0, 9]])
        """
        # Values alternate between background and runs. The first and the last belong to the background.
        values: np.ndarray = np.zeros(2 * len(self.starts) + 1, table.dtype)
        values[1::2] = table[self.numbers]
        edges: np.ndarray = np.zeros(2 * len(self.starts) + 2, np.intp)
        edges[1:-1:2], edges[2:-1:2] = self.starts, self.starts + self.lengths
        edges[-1] = self.shape[0] * self.shape[1]
        return np.repeat(values, np.diff(edges)).reshape(self.shape)

    @cached_property
    def label_image(self) -> np.ndarray:
        """The component number at each pixel, Y×X int32; 0 is background."""
        return self.paint(np.arange(self.count + 1, dtype=np.int32))

    def numbers_at(self, pixels: np.ndarray) -> np.ndarray:
        """Return the component number at each of the given pixels.

        Args:
            pixels: indices in the flattened image; every pixel must belong to a component.

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
        """Indices of all runs sorted by component, and the end of each component's section by component number."""
        order = np.argsort(self.numbers, kind="stable")
        return order, np.asarray(np.searchsorted(self.numbers[order], np.arange(self.count + 1), side="right"))

    @cached_property
    def boxes(self) -> np.ndarray:
        """N×4, the top, left, bottom and right of each component; bottom and right are exclusive.

        Row 0 belongs to component 1.

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
        """True for each component that touches the border of the image; entry 0 belongs to component 1."""
        return np.asarray((self.boxes[:, :2] == 0).any(axis=1) | (self.boxes[:, 2:] == self.shape).any(axis=1))
