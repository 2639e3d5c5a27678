"""Divide an image into blocks, and group the components that continue from one block into the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellseg_monai.boxes import Box, Grid

__all__ = ["BlockEdges", "Blocks", "groups_across"]


class Blocks(Grid):
    """The blocks of an image and their neighbours.

    >>> Blocks((5, 4), (3, 4)).places
    [(slice(0, 3, None), slice(0, 4, None)), (slice(3, 5, None), slice(0, 4, None))]
    """

    @property
    def places(self) -> list[Box]:
        """The boxes of all blocks, row by row."""
        return list(self)

    def seams(self) -> Iterator[tuple[int, int, bool]]:
        """Yield each pair of adjacent blocks.

        Yields:
            The numbers of two adjacent blocks, and True if the second is below the first or False if it is to the
            right.
        """
        rows, columns = self.counts
        for number in range(rows * columns):
            if (number + 1) % columns:
                yield number, number + 1, False
            if number + columns < rows * columns:
                yield number, number + columns, True

    def open_sides(self, place: Box) -> tuple[bool, bool, bool, bool]:
        """Return True for each side of a block on which the image continues: above, below, left and right."""
        rows, columns = place
        return rows.start > 0, rows.stop < self.shape[0], columns.start > 0, columns.stop < self.shape[1]


@dataclass(frozen=True, eq=False)
class BlockEdges:
    """The components of a block that can continue in adjacent blocks.

    Args:
        numbers: sorted numbers of these components within the block.
        lines: component numbers along the upper, lower, left and right edges of the block; 0 is no component.
    """

    numbers: np.ndarray
    lines: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of_block(cls, labels: np.ndarray, numbers: np.ndarray) -> BlockEdges:
        """Copy the edges of a block, so that the block itself can be discarded.

        Args:
            labels: Y×X, the component number at each pixel of the block.
            numbers: sorted numbers of the components that can continue in adjacent blocks.
        """
        return cls(numbers, (labels[0].copy(), labels[-1].copy(), labels[:, 0].copy(), labels[:, -1].copy()))


def groups_across(blocks: Blocks, edges: Sequence[BlockEdges]) -> list[np.ndarray]:
    """Group components that are edge-connected across the seams between blocks.

    Args:
        blocks: the blocks of the image.
        edges: the edges of each block. Their `numbers` must include every component that touches a seam.

    Returns:
        For each block, the group number of each component in its `numbers`. Groups are numbered from 0.

    >>> left = BlockEdges.of_block(np.array([[1, 1], [0, 0], [2, 2]]), np.array([1, 2]))
    >>> right = BlockEdges.of_block(np.array([[1], [1], [1]]), np.array([1]))
    >>> [groups.tolist() for groups in groups_across(Blocks((3, 3), (3, 2)), [left, right])]
    [[0, 0], [0]]
    """
    starts = np.cumsum([0, *(len(edge.numbers) for edge in edges)])
    if not starts[-1]:
        return [edge.numbers for edge in edges]
    pairs: list[np.ndarray] = [np.empty((2, 0), np.intp)]
    for first, second, below in blocks.seams():
        lines = np.stack([edges[first].lines[1 if below else 3], edges[second].lines[0 if below else 2]])
        meeting = lines[:, (lines > 0).all(axis=0)]
        # Drop consecutive duplicates.
        meeting = meeting[:, np.append(True, (np.diff(meeting) != 0).any(axis=0))[: meeting.shape[1]]]
        pairs.append(
            np.stack(
                [
                    starts[block] + np.searchsorted(edges[block].numbers, numbers)
                    for block, numbers in zip((first, second), meeting, strict=True)
                ]
            )
        )
    together = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(together.shape[1], bool), tuple(together)), shape=(starts[-1], starts[-1]))
    _, groups = connected_components(graph, directed=False)
    return np.split(groups, starts[1:-1])
