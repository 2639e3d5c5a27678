"""Boxes within images, grids of boxes, and arrays in memory or on disk that are read and written box by box."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

__all__ = ["ArrayPart", "Box", "Grid", "Overlap", "Run", "SlicedArray", "WritableArray", "overlaps", "squares"]

Box = tuple[slice, slice]
"""A slice of rows and a slice of columns, each with start and stop.

A box has two slices because this package works on planes and deliberately has no 3-D networks. Stacks are segmented
plane by plane, and ids start again in each plane. Tiles, blending, padding, crops, decoding (runs along rows, proofs in
2-D), measurements and outlines are all written for planes. Supporting volumes would therefore require another decoding
package, not just a flag.
"""

Run = Callable[..., Iterable[Any]]
"""A function that calls another function for each of several boxes, as `map` does."""


class SlicedArray(Protocol):
    """A NumPy array, or an array on disk that returns one when sliced, such as a Zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Data type of the values."""

    def __getitem__(self, place: Any, /) -> Any:
        """Return the values at `place`: a slice without a step, or an index, for each axis."""


class WritableArray(SlicedArray, Protocol):
    """An array that can also be written to by slices: a NumPy array, a memory map or a Zarr array."""

    def __setitem__(self, place: Any, values: Any, /) -> None:
        """Write the values at `place`: a slice without a step, or an index, for each axis."""


class ArrayPart:
    """A view of an array at fixed indices along its first axes, sliced like an array of the remaining axes.

    Args:
        array: a NumPy array, or anything that returns one when sliced.
        place: an index for each of the first axes, or None for an axis to keep.

    >>> import numpy as np
    >>> part = ArrayPart(np.arange(24).reshape(2, 3, 4), (1, None))
    >>> part.shape, part[0:2, 3]
    ((3, 4), array([15, 19]))
    """

    def __init__(self, array: SlicedArray, place: Sequence[int | None]) -> None:
        self._array, self._place = array, tuple(place)
        kept = (length for length, index in zip(array.shape, self._place, strict=False) if index is None)
        self.shape, self.dtype = (*kept, *array.shape[len(self._place) :]), array.dtype

    def __getitem__(self, window: tuple[int | slice, ...]) -> Any:
        """Return the values in a window: an index, or a slice without a step, for each axis."""
        rest = iter(window)
        first = tuple(next(rest) if index is None else index for index in self._place)
        return self._array[first + tuple(rest)]


class Overlap(NamedTuple):
    """The stretch shared by a window and a cell, along an axis that is cut into cells of equal length.

    Args:
        cell: number of the cell, counted from 0.
        in_axis: the shared stretch as a slice of the axis.
        in_window: the shared stretch as a slice of the window.
        in_cell: the shared stretch as a slice of the cell.
    """

    cell: int
    in_axis: slice
    in_window: slice
    in_cell: slice


def overlaps(window: slice, side: int) -> list[Overlap]:
    """Return the stretches that a window shares with the cells that it touches along one axis.

    Args:
        window: slice with start and stop.
        side: length of a cell.

    >>> for overlap in overlaps(slice(5, 12), 4):
    ...     print(overlap.cell, overlap.in_window, overlap.in_cell)
    1 slice(0, 3, None) slice(1, 4, None)
    2 slice(3, 7, None) slice(0, 4, None)
    """
    shared = []
    for cell in range(window.start // side, -(-window.stop // side) if window.stop > window.start else 0):
        start, stop = max(window.start, cell * side), min(window.stop, (cell + 1) * side)
        in_window = slice(start - window.start, stop - window.start)
        shared.append(Overlap(cell, slice(start, stop), in_window, slice(start - cell * side, stop - cell * side)))
    return shared


@dataclass(frozen=True)
class Grid:
    """An image cut into cells, numbered from 0 row by row; iterating yields the boxes of the cells.

    Args:
        shape: size of the image, (Y, X).
        sides: size of a cell, (Y, X); cells at the lower and right borders can be smaller.

    >>> list(Grid((5, 4), (3, 4)))
    [(slice(0, 3, None), slice(0, 4, None)), (slice(3, 5, None), slice(0, 4, None))]
    """

    shape: tuple[int, int]
    sides: tuple[int, int]

    @property
    def counts(self) -> tuple[int, int]:
        """Number of rows and columns of cells."""
        return -(-self.shape[0] // self.sides[0]), -(-self.shape[1] // self.sides[1])

    def __iter__(self) -> Iterator[Box]:
        return itertools.product(
            *(
                [slice(start, min(start + side, length)) for start in range(0, length, side)]
                for length, side in zip(self.shape, self.sides, strict=True)
            )
        )

    def over(self, box: Box) -> Iterator[tuple[int, Box, Box]]:
        """Find the cells that a box touches.

        Args:
            box: a box within the image.

        Yields:
            The number of each cell, and the part of the cell inside the box, first as a box in the image and then as a
            box relative to `box`.

        >>> for number, place, within in Grid((4, 4), (2, 4)).over((slice(1, 3), slice(2, 4))):
        ...     print(number, place[0], within[0])
        0 slice(1, 2, None) slice(0, 1, None)
        1 slice(2, 3, None) slice(1, 2, None)
        """
        columns = self.counts[1]
        for y, x in itertools.product(*map(overlaps, box, self.sides)):
            yield y.cell * columns + x.cell, (y.in_axis, x.in_axis), (y.in_window, x.in_window)


def squares(shape: Sequence[int], side: int) -> Grid:
    """Return a grid of square cells.

    Args:
        shape: shape of an image, with Y and X last.
        side: side of the squares in pixels.

    >>> [(rows.stop, columns.stop) for rows, columns in squares((3, 4), 2)]
    [(2, 2), (2, 4), (3, 2), (3, 4)]
    """
    height, width = map(int, shape[-2:])
    return Grid((height, width), (side, side))
