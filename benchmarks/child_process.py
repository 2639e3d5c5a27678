"""Calling a function in its own process, so that its memory can be measured separately."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

__all__ = ["held_bytes", "in_child"]

_T = TypeVar("_T")


def in_child(function: Callable[..., _T], *arguments: object) -> _T:
    """Call a function of a module in a new process, and return its result or raise its error."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
        return child.submit(function, *arguments).result()


def held_bytes(field: str) -> int:
    """Return the memory of this process in bytes, as Linux reports it.

    `ru_maxrss` cannot be used: in a child process it starts with the memory of the parent.

    Args:
        field: VmRSS, the current memory; VmHWM, its peak; or RssAnon, the memory that does not belong to files (the
            system can take back pages of files at any time).
    """
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith(field))
