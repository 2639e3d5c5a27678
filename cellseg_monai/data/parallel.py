"""One function on many files, by several processes, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

__all__ = ["available_workers", "each"]

Given = TypeVar("Given")
Result = TypeVar("Result")

_ITEMS_A_WORKER = 16  # fewer are done sooner than another process has started


def available_workers(items: int, wanted: int | None = None) -> int:
    """How many processes to use for so many items: as many as wanted, or as there are processors to use.

    Raises:
        ValueError: less than one was wanted.
    """
    if wanted is not None and wanted < 1:
        raise ValueError(f"workers {wanted}: expected 1 or more; leave it away to use all processors")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted or processors, -(-items // _ITEMS_A_WORKER)))


def each(
    function: Callable[[Given], Result], items: Sequence[Given], *, workers: int | None = None, doing: str
) -> Iterator[tuple[Given, Result]]:
    """Items with the function's results, as they come.

    Args:
        function: picklable, as are items and results: processes are spawned.
        items: what it is called with, one by one.
        workers: see `available_workers`; with one, all is done in this process.
        doing: stands before the progress bar, which shows on a terminal alone.

    Raises:
        ChildProcessError: a process died; what had come by then has come.
    """
    count = available_workers(len(items), workers)
    with tqdm(total=len(items), desc=doing, unit="image", disable=None) as bar:
        for item, result in _serially(function, items) if count == 1 else _spread(function, items, count):
            bar.update()
            yield item, result


def _serially(function: Callable[[Given], Result], items: Sequence[Given]) -> Iterator[tuple[Given, Result]]:
    return ((item, function(item)) for item in items)


def _spread(
    function: Callable[[Given], Result], items: Sequence[Given], workers: int
) -> Iterator[tuple[Given, Result]]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _belong_to_the_parent)
    try:
        with _interrupts_wait():
            futures = {pool.submit(function, item): item for item in items}
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f"one of {workers} processes died, perhaps for want of memory; the same command goes on where it stopped: "
            "try it with --workers 1. (A script that calls this needs `if __name__ == '__main__':`, or workers=1.)"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Keep Ctrl-C until the block has run, and for good from the processes that it starts: they inherit the mask.

    An interrupt goes to all processes of a terminal; those that just start would each print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _belong_to_the_parent() -> None:
    """In a new process: leave interrupts to the parent, and end with it, also where it is killed.

    A pool's processes wait for work for ever otherwise, and would write on while the next call does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
