"""Memory that a process has freed, kept by it for what it takes next."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

# Of mallopt, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8


def keep_freed_memory() -> None:
    """Have this process keep what it has taken from the system once, instead of giving it back each time.

    What a network makes of a tile takes hundreds of megabytes, which by default glibc returns to the system at once, to
    ask for them again with the next tile, and the system then clears every page. This is for programs, early in them,
    before torch takes any memory: libraries leave such settings to them. Elsewhere than on Linux with glibc nothing
    changes.
    """
    if sys.platform != "linux":
        return
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then asks for pages of 2 MB
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        # In one arena, as those of other threads hold no more than 64 MB in a piece.
        mallopt(_ARENA_MAX, 1)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        if not mallopt(_MMAP_THRESHOLD, 2**30):  # which older versions find too high
            mallopt(_MMAP_MAX, 0)
