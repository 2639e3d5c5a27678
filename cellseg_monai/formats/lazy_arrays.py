"""Arrays on disk that read or decode only what a window touches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray, overlaps
from cellseg_monai.formats.block_cache import BlockCache

__all__ = ["BlockArray", "MappedArray", "StackedArray", "chunks_of"]


class BlockArray:
    """An array stored in blocks of equal shape, cropped or padded at the far edges.

    Args:
        shape: shape of the array.
        dtype: type of the values.
        block_shape: shape of a block.
        decode: function that returns the block at the given indices in the grid of blocks. A block at a far edge can
            extend beyond the array.
        cache: cache of decoded blocks, shared by all arrays in a file.
        key: identifier that distinguishes the blocks of this array from those of other arrays in the cache.

    Attributes:
        chunks: shape of a block, under the name that zarr uses.

    >>> rows = BlockArray((5, 4), np.dtype(int), (2, 4), lambda place: np.full((2, 4), place[0]), BlockCache(), "a")
    >>> rows[1:5, 0:2]
    array([[0, 0],
           [1, 1],
           [1, 1],
           [2, 2]])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype,
        block_shape: tuple[int, ...],
        decode: Callable[[tuple[int, ...]], np.ndarray],
        cache: BlockCache,
        key: Hashable,
    ) -> None:
        self.shape, self.dtype, self.chunks = shape, dtype, block_shape
        self._decode, self._cache, self._key = decode, cache, key

    def __getitem__(self, selection: tuple[slice, ...]) -> np.ndarray:
        """Return the values in a window, given as one slice for each axis."""
        spans = _spans(selection, self.shape)
        values = np.empty([stop - start for start, stop in spans], self.dtype)
        if values.size == 0:
            return values
        for parts in itertools.product(
            *(overlaps(slice(*span), n) for span, n in zip(spans, self.chunks, strict=True))
        ):
            place = tuple(part.cell for part in parts)
            block = self._cache.get((self._key, place), partial(self._decode, place))
            values[tuple(part.in_window for part in parts)] = block[tuple(part.in_cell for part in parts)]
        return values


class StackedArray:
    """Arrays of equal shape, such as the pages of a file, stacked along new leading axes.

    Args:
        stack_shape: lengths of the new axes.
        item: function that returns the array with a given number. Arrays are numbered with the last axis of the stack
            varying fastest.

    Attributes:
        chunks: shape of the blocks that are decoded as a whole, or None if the arrays are not stored in blocks.

    >>> pages = StackedArray((2, 3), lambda number: np.full((1, 4), number))
    >>> pages.shape, pages[1:2, 0:2, 0:1, 0:1].ravel()
    ((2, 3, 1, 4), array([3, 4]))
    """

    def __init__(self, stack_shape: tuple[int, ...], item: Callable[[int], SlicedArray]) -> None:
        first = item(0)
        self.shape, self.dtype = (*stack_shape, *first.shape), first.dtype
        self.chunks = chunks_of(first)
        if self.chunks is not None:
            self.chunks = (1,) * len(stack_shape) + self.chunks
        self._stack_shape, self._item = stack_shape, item

    def __getitem__(self, selection: tuple[slice, ...]) -> np.ndarray:
        """Return the values in a window, given as one slice for each axis."""
        spans = _spans(selection, self.shape)
        values = np.empty([stop - start for start, stop in spans], self.dtype)
        n_axes = len(self._stack_shape)
        inner = tuple(slice(*span) for span in spans[n_axes:])
        if values.size:
            for place in itertools.product(*(range(*span) for span in spans[:n_axes])):
                number = int(np.ravel_multi_index(place, self._stack_shape)) if place else 0
                target = tuple(index - start for index, (start, _) in zip(place, spans, strict=False))
                values[target] = self._item(number)[inner]
        return values


class MappedArray:
    """An uncompressed array in a file, read through a memory map.

    The file is mapped again for each window, so that only the window itself stays in memory. With a permanent mapping,
    everything read so far would count towards the memory of the process, and eventually the whole file.

    Args:
        path: file that contains the array.
        dtype: type of the values, including their byte order.
        shape: shape of the array.
        offset: position of the array in the file, in bytes.
        order: "C" if the last axis varies fastest, "F" if the first does.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...], offset: int, order: str = "C") -> None:
        self.shape, self.dtype = shape, dtype
        self._path, self._offset, self._order = path, offset, order

    def __getitem__(self, selection: tuple[slice, ...]) -> np.ndarray:
        """Return a copy of the values in a window, given as one slice for each axis."""
        mapped = np.memmap(self._path, self.dtype, "r", self._offset, self.shape, self._order)  # type: ignore[call-overload]
        return np.array(mapped[selection])


def chunks_of(array: SlicedArray) -> tuple[int, ...] | None:
    """Return the shape of the blocks in which an array is stored, or None if it is not stored in blocks."""
    chunks: tuple[int, ...] | None = getattr(array, "chunks", None)
    return chunks


def _spans(selection: tuple[slice, ...], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    return [part.indices(n)[:2] for part, n in zip(selection, shape, strict=True)]
