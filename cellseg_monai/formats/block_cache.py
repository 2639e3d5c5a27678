"""A cache of decoded tiles, strips and chunks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

__all__ = ["BlockCache"]

_CACHE_BYTES = 64 * 2**20


class BlockCache:
    """A cache of the most recently used blocks, so that overlapping windows need not decode a block again.

    The cache always keeps the latest block, so an image stored as one large block is decoded only once, not once per
    window.

    Args:
        max_bytes: limit for the total size of the cached blocks; a single block can exceed it.

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
        """Return a block, decoding it unless it is cached.

        A thread that requests a block while another thread is decoding it waits for the result. Requests for other
        blocks do not wait.

        Args:
            key: identifier of the block.
            decode: function that decodes the block.
        """
        with self._lock:
            if (block := self._cached(key)) is not None:
                return block
            decoding = self._decoding.setdefault(key, threading.Lock())
        with decoding:  # a second thread waits here instead of decoding the same block again
            with self._lock:
                if (block := self._cached(key)) is not None:
                    return block
            try:
                block = decode()
                self._keep(key, block)
            finally:
                with self._lock:
                    self._decoding.pop(key, None)
            return block

    def _cached(self, key: Hashable) -> np.ndarray | None:
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
