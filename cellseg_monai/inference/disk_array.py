"""An array in a file, of which a process holds no more than the window that it looks at."""

from __future__ import annotations

import errno
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["DiskArray"]


@dataclass(frozen=True)
class DiskArray:
    """An array that is read and written by slices; it can be sent to other processes of the machine.

    The file is mapped for one access at a time: a mapping that stays counts towards the memory of the process as far as
    it was touched.

    Args:
        path: of the file.
        shape: of the array.
        dtype: of its values.

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

    @classmethod
    def create(cls, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> DiskArray:
        """A new one, of zeros.

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
            # Reserved where the system can: a mapped file on a full disk ends the process.
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        return cls(path, tuple(shape), np.dtype(dtype))

    def __getitem__(self, window: Any) -> np.ndarray:
        return np.array(self._mapped("r")[window])

    def __setitem__(self, window: Any, values: Any) -> None:
        self._mapped("r+")[window] = values

    def _mapped(self, mode: Any) -> np.ndarray:
        return np.memmap(self.path, self.dtype, mode, shape=self.shape)
