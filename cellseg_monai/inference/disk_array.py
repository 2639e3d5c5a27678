"""An array stored in a file, with only the window being read or written in memory.

The file is stored in strips for speed. `benchmarks/scratch_arrays.py` compares the processor time for a large plane
with strips, uncompressed chunks and plain rows, and fails unless strips save at least a tenth.
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
_READ_VALUES = 2**20  # values to read in one call, unless a single row of a strip has more


@dataclass(frozen=True)
class DiskArray:
    """A Y×X array in a file, read and written by slicing; it can be sent to other processes on the same machine.

    The file is not memory-mapped. When a window of a mapped file is read, the operating system also loads much of the
    data around it, up to whole rows. All of this data counts towards the memory of the process.

    The file consists of vertical strips, one after the other. A window as wide as a strip is therefore contiguous, and
    takes one system call to read or write instead of one for each row.

    Args:
        path: the file.
        shape: (Y, X) of the array.
        dtype: type of the values.
        edges: first column of each strip, followed by the end of the last strip.

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
        """Create a file that holds an array of zeros, and return the array.

        Args:
            path: the file to create.
            shape: (Y, X) of the array.
            dtype: type of the values.
            edges: first column of each strip, followed by the end of the last strip; None for strips as wide as the
                blocks in which large planes are labelled.

        Raises:
            OSError: the disk has too little space for the file.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > (free := shutil.disk_usage(path.parent).free):
            raise OSError(
                errno.ENOSPC,
                f"{size / 1e9:.1f} GB are needed for intermediate results, but only {free / 1e9:.1f} GB are free; free "
                "up some space, or choose an output folder on another disk",
                str(path),
            )
        with open(path, "wb") as file:
            # Reserve the space if the operating system can, so that writing cannot fail later on a full disk.
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        if edges is None:
            edges = [*range(0, shape[1], _STRIP_PX), shape[1]]
        return cls(path, shape, np.dtype(dtype), tuple(edges))

    def __getitem__(self, window: Box) -> np.ndarray:
        """Read a window, given as a slice of rows and a slice of columns, both without a step."""
        rows, columns = self._resolved(window)
        values: np.ndarray = np.empty((rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        with open(self.path, "rb", buffering=0) as file:
            for strip in self._strips(columns):
                step = max(1, _READ_VALUES // strip.width)
                for top in range(rows.start, rows.stop, step):
                    bottom = min(top + step, rows.stop)
                    # Whole rows of a strip are contiguous, so reading them is faster than reading a part of each row.
                    whole: np.ndarray = np.empty((bottom - top, strip.width), self.dtype)
                    file.seek(strip.offset(top, 0))
                    if not _move_all(file.readinto, whole):
                        raise OSError(errno.EIO, "the file is shorter than when it was created", str(self.path))
                    values[top - rows.start : bottom - rows.start, strip.in_window] = whole[:, strip.in_strip]
        return values

    def __setitem__(self, window: Box, values: Any) -> None:
        """Write to a window, given as a slice of rows and a slice of columns, both without a step."""
        rows, columns = self._resolved(window)
        whole = np.broadcast_to(np.asarray(values), (rows.stop - rows.start, columns.stop - columns.start))
        with open(self.path, "r+b", buffering=0) as file:
            for strip in self._strips(columns):
                part = np.ascontiguousarray(whole[:, strip.in_window], self.dtype)
                covers_strip = part.shape[1] == strip.width
                for row, run in [(rows.start, part)] if covers_strip else enumerate(part, rows.start):
                    file.seek(strip.offset(row, strip.in_strip.start))
                    if not _move_all(file.write, run):
                        raise OSError(errno.EIO, "no more data could be written to the file", str(self.path))

    def _resolved(self, window: Box) -> Box:
        """Return a window whose slices have an explicit start and stop."""
        sides = []
        for side, length in zip(window, self.shape, strict=True):
            start, stop, step = side.indices(length)
            if step != 1:
                raise IndexError(f"got {side}, expected a slice without a step; apply the step to the result instead")
            sides.append(slice(start, max(start, stop)))
        return sides[0], sides[1]

    def _strips(self, columns: slice) -> Iterator[_Strip]:
        """Yield the strips that overlap a range of columns."""
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
    """A vertical strip of an array, and the columns in which a window overlaps it.

    Args:
        begin: offset of the strip's first byte in the file.
        width: number of columns in the strip.
        itemsize: size of a value in bytes.
        in_window: the shared columns, as a slice of the window.
        in_strip: the shared columns, as a slice of the strip.
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
    """Read or write all values, in several system calls if necessary.

    A single call transfers at most 2 GiB, and less if a signal interrupts it.

    Returns:
        True if everything was transferred, False if the file ended early or accepted no more data.
    """
    if not values.size:
        return True
    left = values.data.cast("B")
    while left:
        if not (count := move(left)):
            return False
        left = left[count:]
    return True
