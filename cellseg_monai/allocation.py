"""A setting that keeps freed memory in the process for its next allocations."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

# Parameters of mallopt, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8


def keep_freed_memory() -> None:
    """Make this process keep freed memory instead of returning it to the operating system.

    A network's intermediate results take hundreds of megabytes per tile. By default, glibc returns this memory to the
    system after each tile and requests it again for the next one, and the system has to clear every page.

    Call this early in a program, before torch allocates memory. Libraries should not call it, because memory settings
    are up to the program. The function does nothing except on Linux with glibc.
    """
    if sys.platform != "linux":
        return
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # makes torch request 2 MB pages
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        # Use a single arena, because the arenas of other threads cannot hold a block larger than 64 MB.
        mallopt(_ARENA_MAX, 1)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        if not mallopt(_MMAP_THRESHOLD, 2**30):  # older versions of glibc reject this value as too high
            mallopt(_MMAP_MAX, 0)
