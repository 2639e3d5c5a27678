"""An array in a file, of which a process holds no more than the window that it looks at."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["DiskArray"]

_STRIP_PX = 2048
# So many values are read at once, if a row has no more.
_READ_VALUES = 2**20
# Rows of wide strips are read whole where they are so many times as wide as the window at most.
_WIDER = 16


@dataclass(frozen=True)
class DiskArray:
    """An array that is read and written by slices; it can be sent to other processes of the machine.

    It is read and written, not mapped: with a window of a mapped file the system brings in much of what lies around it,
    up to whole rows, and all that counts towards the memory of the process.

    In the file it lies in strips along the last axis, one after another, so that the rows of a window that is as wide
    as a strip are read and written at once; those of a narrower one are read with what lies beside them.

    Args:
        path: of the file.
        shape: of the array.
        dtype: of its values.
        edges: where strips begin along the last axis, and where the last of them ends.

    >>> import tempfile
    >>> array = DiskArray.create(Path(tempfile.mkdtemp()) / "ids", (4, 5), np.dtype(np.uint32))
    >>> array[1:3, 2:4] = 7
    >>> array[2:, 3:]
    array([[7, 0],
           [0, 0]], dtype=uint32)
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    edges: tuple[int, ...]

    @classmethod
    def create(
        cls, path: Path, shape: tuple[int, ...], dtype: np.dtype, *, edges: Sequence[int] | None = None
    ) -> DiskArray:
        """A new one, of zeros.

        Args:
            path: of the file.
            shape: of the array.
            dtype: of its values.
            edges: of the strips; None: as wide as the blocks in which large planes are worked on.

        Raises:
            OSError: the disk has no place for it.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > (free := shutil.disk_usage(path.parent).free):
            raise OSError(
                errno.ENOSPC,
                f"{size / 1e9:.1f} GB are needed on the way to the results, and {free / 1e9:.1f} GB are free; make "
                "room, or choose an output on another disk",
                str(path),
            )
        with open(path, "wb") as file:
            # Reserved where the system can, so that a disk that fills up meanwhile spoils nothing.
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        if edges is None:
            edges = [*range(0, shape[-1], _STRIP_PX), shape[-1]]
        return cls(path, tuple(shape), np.dtype(dtype), tuple(edges))

    def __getitem__(self, window: Any) -> np.ndarray:
        place, kept = self._place(window)
        values: np.ndarray = np.empty([part.stop - part.start for part in place], self.dtype)
        with open(self.path, "rb", buffering=0) as file:
            for strip in self._strips(place):
                for rows, there, columns in strip.pieces():
                    found: np.ndarray = np.empty([part.stop - part.start for part in rows.place], self.dtype)
                    for offset, run in rows.runs(found):
                        file.seek(offset)
                        if not _all(file.readinto, run):
                            raise OSError(errno.EIO, "the file is shorter than it was made", str(self.path))
                    within = (..., *there, strip.within)
                    values[within] = found[..., columns]
        return values.reshape([length for length, keep in zip(values.shape, kept, strict=True) if keep])

    def __setitem__(self, window: Any, values: Any) -> None:
        place, kept = self._place(window)
        lengths = [part.stop - part.start for part in place]
        shown = [length for length, keep in zip(lengths, kept, strict=True) if keep]
        whole = np.broadcast_to(np.asarray(values), shown).reshape(lengths)
        with open(self.path, "r+b", buffering=0) as file:
            for strip in self._strips(place):
                for offset, run in strip.runs(np.ascontiguousarray(whole[..., strip.within], self.dtype)):
                    file.seek(offset)
                    if not _all(file.write, run):
                        raise OSError(errno.EIO, "the file takes no more", str(self.path))

    def _place(self, window: Any) -> tuple[list[slice], list[bool]]:
        """The window as a slice of each axis, and which axes stay."""
        given = window if isinstance(window, tuple) else (window,)
        given += (slice(None),) * (len(self.shape) - len(given))
        place = []
        for part, length in zip(given, self.shape, strict=True):
            if isinstance(part, slice):
                start, stop, step = part.indices(length)
                if step != 1:
                    raise IndexError(f"{part} came, but a slice without a step was expected; take the rows one by one")
                place.append(slice(start, max(start, stop)))
            else:
                at = range(length)[part]
                place.append(slice(at, at + 1))
        return place, [isinstance(part, slice) for part in given]

    def _strips(self, place: list[slice]) -> Iterator[_Strip]:
        """The parts of a window, strip by strip."""
        *lead, columns = place
        outer = math.prod(self.shape[:-1])
        for left, right in pairwise(self.edges):
            start, stop = max(columns.start, left) - left, min(columns.stop, right) - left
            if start >= stop:
                continue
            yield _Strip(
                (*self.shape[:-1], right - left),
                self.dtype.itemsize,
                outer * left,
                [*lead, slice(start, stop)],
                slice(left + start - columns.start, left + stop - columns.start),
            )


class _Strip(NamedTuple):
    """A window within one strip.

    Args:
        shape: of the strip.
        itemsize: of a value, in bytes.
        before: how many values lie before the strip in the file.
        place: of the window, as a slice of each axis of the strip.
        within: where its columns are among those of the window across all strips.
    """

    shape: tuple[int, ...]
    itemsize: int
    before: int
    place: list[slice]
    within: slice

    def pieces(self) -> Iterator[tuple[_Strip, tuple[slice, ...], slice]]:
        """What to read: some rows, which of those of the window they are, and where its columns are in them.

        Rows come in all the width of the strip, unless that is far more: one after another lie in one piece in the
        file, read sooner than the part of each that is wanted.
        """
        *outer, columns = self.place
        width = columns.stop - columns.start
        whole, within = slice(0, self.shape[-1]), columns
        if self.shape[-1] > max(2 * _STRIP_PX, _WIDER * width):
            whole, within = columns, slice(0, width)
        if not outer:
            yield self._replace(place=[whole]), (), within
            return
        *outer, rows = outer
        a_row = (whole.stop - whole.start) * math.prod(part.stop - part.start for part in outer)
        step = max(1, _READ_VALUES // max(1, a_row))
        for top in range(rows.start, rows.stop, step):
            some = slice(top, min(top + step, rows.stop))
            there = slice(some.start - rows.start, some.stop - rows.start)
            yield self._replace(place=[*outer, some, whole]), (there,), within

    def runs(self, values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """What lies in one piece in the file: where, and the values of it, which are those of the window."""
        if not values.size:
            return
        axis = len(self.shape) - 1
        while axis > 0 and values.shape[axis] == self.shape[axis]:
            axis -= 1
        inner = math.prod(self.shape[axis + 1 :])
        at: np.ndarray = np.zeros(1, np.int64)
        for part, length in zip(self.place[:axis], self.shape[:axis], strict=True):
            at = (at[:, np.newaxis] * length + np.arange(part.start, part.stop)).ravel()
        at = self.before + (at * self.shape[axis] + self.place[axis].start) * inner
        yield from zip((at * self.itemsize).tolist(), values.reshape(len(at), values.shape[axis] * inner), strict=True)


def _all(moved: Callable[[memoryview], int | None], values: np.ndarray) -> bool:
    """Read or write values whole; one call moves 2 GiB at most, and less where the system is interrupted."""
    left = values.data.cast("B")
    while left:
        if not (count := moved(left)):
            return False
        left = left[count:]
    return True
