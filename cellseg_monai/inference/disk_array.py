"""An array in a file, of which a process only holds the window that it reads or writes.

It is stored in strips for speed: `benchmarks/scratch_arrays.py` measures the processor time that a large plane takes
with strips, with uncompressed chunks and with plain rows, and fails if strips do not gain a tenth.
"""

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

from cellseg_monai.boxes import Box

__all__ = ["DiskArray"]

_STRIP_PX = 2048
_READ_VALUES = 2**20  # values read at the same time, if a row of a strip does not have more


@dataclass(frozen=True)
class DiskArray:
    """A Y×X array in a file, which is read and written by slices; it can be sent to other processes of the machine.

    The file is not mapped into memory. With a window of a mapped file the system also loads much of what lies around
    it, up to whole rows, and all of that counts towards the memory of the process.

    The file holds vertical strips one after the other, so that a window as wide as a strip is contiguous. It is read
    and written in one call to the system rather than one for each row.

    Args:
        path: the file.
        shape: (Y, X) of the array.
        dtype: type of its values.
        edges: columns where strips begin, and where the last one ends.

    >>> import tempfile
    >>> array = DiskArray.create(Path(tempfile.mkdtemp()) / "ids", (4, 5), np.dtype(np.uint32))
    >>> array[1:3, 2:4] = 7
    >>> array[2:, 3:]
    array([[7, 0],
           [0, 0]], dtype=uint32)
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype
    edges: tuple[int, ...]

    @classmethod
    def create(
        cls, path: Path, shape: tuple[int, int], dtype: np.dtype, *, edges: Sequence[int] | None = None
    ) -> DiskArray:
        """Return a new array of zeros.

        Args:
            path: the file.
            shape: (Y, X) of the array.
            dtype: type of its values.
            edges: columns where strips begin, and where the last one ends; None for strips as wide as the blocks in
                which large planes are labelled.

        Raises:
            OSError: the disk has no room for it.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > (free := shutil.disk_usage(path.parent).free):
            raise OSError(
                errno.ENOSPC,
                f"{size / 1e9:.1f} GB are needed for intermediate results, and {free / 1e9:.1f} GB are free; make "
                "room, or choose an output on another disk",
                str(path),
            )
        with open(path, "wb") as file:
            # Reserve the space where the system can, so that a disk that fills up later does no harm.
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        if edges is None:
            edges = [*range(0, shape[1], _STRIP_PX), shape[1]]
        return cls(path, shape, np.dtype(dtype), tuple(edges))

    def __getitem__(self, window: Box) -> np.ndarray:
        """Return the values in a window, given as slices of rows and columns without a step."""
        rows, columns = self._resolved(window)
        values: np.ndarray = np.empty((rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        with open(self.path, "rb", buffering=0) as file:
            for strip in self._strips(columns):
                step = max(1, _READ_VALUES // strip.width)
                for top in range(rows.start, rows.stop, step):
                    bottom = min(top + step, rows.stop)
                    # Whole rows of the strip are contiguous, and so read sooner than a part of each.
                    whole: np.ndarray = np.empty((bottom - top, strip.width), self.dtype)
                    file.seek(strip.offset(top, 0))
                    if not _move_all(file.readinto, whole):
                        raise OSError(errno.EIO, "the file is shorter than when it was made", str(self.path))
                    values[top - rows.start : bottom - rows.start, strip.in_window] = whole[:, strip.in_strip]
        return values

    def __setitem__(self, window: Box, values: Any) -> None:
        """Write a window, given as slices of rows and columns without a step."""
        rows, columns = self._resolved(window)
        whole = np.broadcast_to(np.asarray(values), (rows.stop - rows.start, columns.stop - columns.start))
        with open(self.path, "r+b", buffering=0) as file:
            for strip in self._strips(columns):
                part = np.ascontiguousarray(whole[:, strip.in_window], self.dtype)
                covers_strip = part.shape[1] == strip.width
                for row, run in [(rows.start, part)] if covers_strip else enumerate(part, rows.start):
                    file.seek(strip.offset(row, strip.in_strip.start))
                    if not _move_all(file.write, run):
                        raise OSError(errno.EIO, "the file takes no more", str(self.path))

    def _resolved(self, window: Box) -> Box:
        """Return a window with start and stop."""
        sides = []
        for side, length in zip(window, self.shape, strict=True):
            start, stop, step = side.indices(length)
            if step != 1:
                raise IndexError(f"got {side}, expected a slice without a step; take the rows one by one")
            sides.append(slice(start, max(start, stop)))
        return sides[0], sides[1]

    def _strips(self, columns: slice) -> Iterator[_Strip]:
        """Yield the strips that some columns lie in."""
        for left, right in pairwise(self.edges):
            start, stop = max(columns.start, left), min(columns.stop, right)
            if start < stop:
                yield _Strip(
                    begin=self.shape[0] * left * self.dtype.itemsize,
                    width=right - left,
                    itemsize=self.dtype.itemsize,
                    in_window=slice(start - columns.start, stop - columns.start),
                    in_strip=slice(start - left, stop - left),
                )


class _Strip(NamedTuple):
    """A vertical strip of an array, and what a window shares with it.

    Args:
        begin: offset of its first byte in the file.
        width: number of columns.
        itemsize: bytes of a value.
        in_window: the shared columns as a slice of the window.
        in_strip: the shared columns as a slice of the strip.
    """

    begin: int
    width: int
    itemsize: int
    in_window: slice
    in_strip: slice

    def offset(self, row: int, column: int) -> int:
        """Return the offset of a value in the file, in bytes."""
        return self.begin + (row * self.width + column) * self.itemsize


def _move_all(move: Callable[[memoryview], int | None], values: np.ndarray) -> bool:
    """Read or write all values; a call moves at most 2 GiB, and less if a signal interrupts it.

    Returns:
        False if the file ended, or took no more.
    """
    if not values.size:
        return True
    left = values.data.cast("B")
    while left:
        if not (count := move(left)):
            return False
        left = left[count:]
    return True
