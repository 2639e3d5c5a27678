"""A function called in a process of its own, whose memory is that of the call alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

__all__ = ["held_bytes", "in_child"]

_T = TypeVar("_T")


def in_child(function: Callable[..., _T], *arguments: object) -> _T:
    """What a function of a module returns, or the error that it raises, in a new process that ends with it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
        return child.submit(function, *arguments).result()


def held_bytes(field: str) -> int:
    """The memory that this process holds, as Linux tells.

    The `ru_maxrss` of a child would begin with what its parent held.

    Args:
        field: VmRSS; VmHWM, the most that it ever held; or RssAnon, what is no file's, as the system takes pages of
            files back at will.
    """
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith(field))
