"""Keeping freed memory in the process, for its next allocations."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

# Parameters of mallopt, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8


def keep_freed_memory() -> None:
    """Make this process keep freed memory instead of returning it to the system.

    The intermediate results of a network take hundreds of megabytes for each tile. By default, glibc returns them to
    the system immediately and asks for them again with the next tile, and the system has to clear every page. Call
    this early in a program, before torch allocates memory; a library should leave such settings to the program. It
    does nothing except on Linux with glibc.
    """
    if sys.platform != "linux":
        return
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then asks for pages of 2 MB
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        # Use a single arena, because those of other threads hold no piece larger than 64 MB.
        mallopt(_ARENA_MAX, 1)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        if not mallopt(_MMAP_THRESHOLD, 2**30):  # older versions refuse this value as too high
            mallopt(_MMAP_MAX, 0)
