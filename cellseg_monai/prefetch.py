"""Work done ahead: what comes next is made while what came is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["prefetch"]

_T = TypeVar("_T")
_END = object()


def prefetch(items: Iterator[_T], count: int = 1) -> Generator[_T, None, None]:
    """The same items in the same order, made in a thread up to `count` ahead of their use.

    An error in the making is raised where its item would have come. When this is closed early, no more are begun.

    Args:
        items: made lazily, by code that releases Python's lock (reading, decoding, numpy).
        count: of items that may wait.

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
