"""Apply one function to many files in parallel, with a progress bar."""

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

__all__ = ["available_workers", "map_parallel"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_PER_WORKER = 16  # with fewer items, starting another process takes longer than the work itself


def available_workers(items: int, wanted: int | None = None) -> int:
    """Return the number of processes to use.

    Args:
        items: number of items to process; at most one process is used for every 16 items.
        wanted: number of processes that the caller wants; None for the number of available processors.

    Raises:
        ValueError: `wanted` is less than 1.
    """
    if wanted is not None and wanted < 1:
        raise ValueError(f"got workers={wanted}, expected at least 1; omit the number to use all processors")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted or processors, -(-items // _ITEMS_PER_WORKER)))


def map_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None = None, title: str
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the function's result, in the order of completion.

    Args:
        function: a function of one item. The function, its items and its results must be picklable, because processes
            are spawned.
        items: the items to process.
        workers: number of processes, see `available_workers`; with 1, the current process does all the work.
        title: text in front of the progress bar. The bar appears only in a terminal.

    Raises:
        ChildProcessError: a process died; results finished before that have already been yielded.
    """
    count = available_workers(len(items), workers)
    with tqdm(total=len(items), desc=title, unit="image", disable=None) as bar:
        for item, result in _serially(function, items) if count == 1 else _in_processes(function, items, count):
            bar.update()
            yield item, result


def _serially(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    return ((item, function(item)) for item in items)


def _in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Result]]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        with _interrupts_blocked():
            futures = {pool.submit(function, item): item for item in items}
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f"one of {workers} processes died, perhaps from lack of memory; run the same command with --workers 1 to "
            "continue where it stopped (in a script, add `if __name__ == '__main__':`, or pass workers=1)"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Hold back Ctrl-C while the block runs, and in the processes started by it, which inherit the signal mask.

    A terminal sends an interrupt to all processes of a command, and each process that is still starting up would print
    a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Make a new process ignore interrupts, and exit when its parent ends, even if the parent is killed.

    Otherwise, the processes in a pool would wait for work forever, and could still write files during the next call.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(process: Any) -> None:
    process.join()
    os._exit(1)
