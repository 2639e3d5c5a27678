"""Work done ahead: what comes next is made while what came is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["ahead"]

_T = TypeVar("_T")
_END = object()


def ahead(items: Iterable[_T], count: int = 1) -> Iterator[_T]:
    """The same items in the same order, made in a thread up to `count` ahead of their use.

    An error in the making is raised where its item would have come. When the consumer stops, so does the thread.

    Args:
        items: made lazily, by code that releases Python's lock (reading, decoding, numpy).
        count: of items that may wait.

    >>> list(ahead(range(3)))
    [0, 1, 2]
    """
    made: queue.Queue[tuple[object, BaseException | None]] = queue.Queue(maxsize=count)
    stopped = threading.Event()

    def put(item: object, error: BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                made.put((item, error), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:  # handed on to the consumer, who raises it
            put(_END, error)

    thread = threading.Thread(target=make, daemon=True, name="cellseg-ahead")
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
