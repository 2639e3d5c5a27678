"""Prepare the next items of an iterator in a thread while the current item is in use."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["prefetch"]

_T = TypeVar("_T")
_END = object()


def prefetch(items: Iterator[_T], count: int = 1) -> Generator[_T, None, None]:
    """Yield the items of an iterator in order, preparing up to `count` items ahead in a thread.

    If preparing an item fails, the error is raised where that item would have been yielded. Once the generator is
    closed, no further items are started.

    Args:
        items: lazy iterator whose work releases the interpreter lock (reading, decoding, NumPy).
        count: maximum number of items waiting to be used.

    >>> list(prefetch(iter(range(3))))
    [0, 1, 2]
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="cellseg-prefetch")
    try:
        waiting = deque(thread.submit(next, items, _END) for _ in range(count))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(thread.submit(next, items, _END))
            yield item  # type: ignore[misc]
    finally:
        thread.shutdown(cancel_futures=True)
        if isinstance(items, Generator):
            items.close()
