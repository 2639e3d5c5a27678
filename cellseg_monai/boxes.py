"""Boxes within images, and the arrays that are read and written by them, in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

__all__ = ["Box", "Run", "SlicedArray", "WritableArray", "squares"]

Box = tuple[slice, slice]
"""Rows and columns."""

Run = Callable[..., Iterable[Any]]
"""How a function is called for each of some boxes: as `map` does."""


class SlicedArray(Protocol):
    """A numpy array, or anything on disk that gives one when it is sliced, such as a zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""

    @property
    def dtype(self) -> Any:
        """The type of a value."""

    def __getitem__(self, place: Any, /) -> Any:
        """The values at a place: one slice without a step, or an index, for each axis."""


class WritableArray(SlicedArray, Protocol):
    """One that is written by slices too: a numpy array, also one mapped to a file, or one of zarr."""

    def __setitem__(self, place: Any, values: Any, /) -> None:
        """Write the values at a place."""


def squares(shape: Sequence[int], side: int) -> Iterator[Box]:
    """Squares that cover an image from its upper left corner on, row after row.

    Args:
        shape: of the image, Y and X last.
        side: of the squares; those at the lower and right border may be smaller.

    >>> [(rows.stop, columns.stop) for rows, columns in squares((3, 4), 2)]
    [(2, 2), (2, 4), (3, 2), (3, 4)]
    """
    height, width = map(int, shape[-2:])
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))
