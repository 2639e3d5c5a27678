"""Arrays that are stored in parts: of a window, only the parts that it touches are decoded."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray

__all__ = ["BlockArray", "BlockCache", "MappedArray", "StackedArray", "chunks_of"]

_CACHE_BYTES = 64 * 2**20


class BlockCache:
    """The blocks that were decoded last: neighbouring windows share them, and overlapping ones all the more.

    The last one is always kept, so that an image of one large block is decoded once and not for every window.

    Args:
        max_bytes: what all blocks but the last may take together.

    >>> cache = BlockCache(max_bytes=8)
    >>> for name in "abba":
    ...     block = cache.get(name, lambda: print("decoding", name) or np.zeros(5, np.uint8))
    decoding a
    decoding b
    decoding a
    """

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._blocks: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, decode: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the block of that key, decoding it if it is not at hand; threads that want another go on meanwhile."""
        with self._lock:
            if (known := self._known(key)) is not None:
                return known
            decoding = self._decoding.setdefault(key, threading.Lock())
        with decoding:  # who comes second waits, rather than to decode it, too
            with self._lock:
                if (known := self._known(key)) is not None:
                    return known
            try:
                block = decode()
                self._keep(key, block)
            finally:
                with self._lock:
                    self._decoding.pop(key, None)
            return block

    def _known(self, key: Hashable) -> np.ndarray | None:
        if key not in self._blocks:
            return None
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _keep(self, key: Hashable, block: np.ndarray) -> None:
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = block
                self._bytes += block.nbytes
            while self._bytes > self._max_bytes and len(self._blocks) > 1:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes


class BlockArray:
    """An array stored in blocks of one shape, those at its end cut off or padded.

    Args:
        shape: of the array.
        dtype: of its values.
        block_shape: of a block.
        decode: gives a block by its place in the grid of blocks; at its end it may be larger than what
            lies within the array.
        cache: keeps blocks; shared by all arrays of a file.
        key: what tells the blocks of this array from those of others in the cache.

    Attributes:
        chunks: the shape of a block, by the name that it has in zarr.

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
        """Return the values in one slice an axis."""
        spans = _spans(selection, self.shape)
        found = np.empty([stop - start for start, stop in spans], self.dtype)
        if found.size == 0:
            return found
        grid = (range(a // n, -(-b // n)) for (a, b), n in zip(spans, self.chunks, strict=True))
        for place in itertools.product(*grid):
            block = self._cache.get((self._key, place), partial(self._decode, place))
            to, of = [], []
            for at, (start, stop), n in zip(place, spans, self.chunks, strict=True):
                first, last = max(start, at * n), min(stop, (at + 1) * n)
                to.append(slice(first - start, last - start))
                of.append(slice(first - at * n, last - at * n))
            found[tuple(to)] = block[tuple(of)]
        return found


class StackedArray:
    """Equal arrays, such as the pages of a file, stacked along one or several axes before their own.

    Args:
        stack_shape: of the stack.
        item: gives an array by its number, counted with the last axis of the stack first.

    Attributes:
        chunks: what is decoded at once; None where the arrays are not stored in blocks.

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
        """Return the values in one slice an axis."""
        spans = _spans(selection, self.shape)
        found = np.empty([stop - start for start, stop in spans], self.dtype)
        n_axes = len(self._stack_shape)
        inner = tuple(slice(*span) for span in spans[n_axes:])
        if found.size:
            for place in itertools.product(*(range(*span) for span in spans[:n_axes])):
                number = int(np.ravel_multi_index(place, self._stack_shape)) if place else 0
                to = tuple(at - start for at, (start, _) in zip(place, spans, strict=False))
                found[to] = self._item(number)[inner]
        return found


class MappedArray:
    """An array that lies uncompressed in a file.

    It is mapped anew for every window, so that no more of the file stays in memory than a window of it.

    Args:
        path: the file.
        dtype: of the values, with their byte order.
        shape: of the array.
        offset: of its first byte.
        order: "C", or "F" where the first axis runs fastest.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...], offset: int, order: str = "C") -> None:
        self.shape, self.dtype = shape, dtype
        self._path, self._offset, self._order = path, offset, order

    def __getitem__(self, selection: tuple[slice, ...]) -> np.ndarray:
        """Return the values in one slice an axis, as a copy."""
        mapped = np.memmap(self._path, self.dtype, "r", self._offset, self.shape, self._order)  # type: ignore[call-overload]
        return np.array(mapped[selection])


def chunks_of(array: SlicedArray) -> tuple[int, ...] | None:
    """The shape of the blocks in which an array is stored, each decoded as a whole; None where there are none."""
    chunks: tuple[int, ...] | None = getattr(array, "chunks", None)
    return chunks


def _spans(selection: tuple[slice, ...], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    return [each.indices(n)[:2] for each, n in zip(selection, shape, strict=True)]
