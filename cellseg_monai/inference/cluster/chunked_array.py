"""An array in a folder of chunks, which processes of several machines read and write by slices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.io.zarr_chunks import ZarrChunks

__all__ = ["ChunkedArray"]


@dataclass(frozen=True)
class ChunkedArray:
    """An array of Zarr's chunks that is sent to other processes as the name of its folder.

    A chunk is there whole or not at all. One that nobody has written cannot be read, rather than being zeros.

    Args:
        folder: of the array.
        shape: of the array, at least Y and X.
        dtype: of its values.
        chunk_px: side of the chunks; those who write at once must not share one.

    >>> import tempfile
    >>> array = ChunkedArray(Path(tempfile.mkdtemp()) / "ids", (1, 3, 4), np.dtype(np.uint32), chunk_px=2)
    >>> array[0, :, :] = np.zeros((3, 4))
    >>> array[0, 1:, 1:3] = 7
    >>> array[:, 1:3, 2:]
    array([[[7, 0],
            [7, 0]]], dtype=uint32)
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk_px: int = 1024

    @property
    def chunks(self) -> tuple[int, ...]:
        """The shape of a chunk, by the name that Zarr arrays give it: labels are read in whole ones."""
        return (*(1 for _ in self.shape[:-2]), self.chunk_px, self.chunk_px)

    @property
    def _files(self) -> ZarrChunks:
        return ZarrChunks(self.folder, self.shape, self.dtype, self.chunk_px)

    def check_whole(self) -> None:
        """Refuse an array of which chunks are missing.

        Raises:
            OSError: which are missing.
        """
        if missing := self._files.missing():
            plane, rows, columns = missing[0]
            raise OSError(
                f"{self.folder}: {len(missing)} chunks were not written or are not seen here, the first of {plane} at "
                f"rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}; is it on a "
                "file system that all workers share?"
            )

    def __getitem__(self, window: tuple[int | slice, ...]) -> np.ndarray:
        planes, lengths, rows, columns = self._places(window)
        found = np.empty((len(planes), rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for values, plane in zip(found, planes, strict=True):
            values[...] = self._files.read(plane, rows, columns)
        return found.reshape(*lengths, *found.shape[1:])

    def __setitem__(self, window: tuple[int | slice, ...], values: Any) -> None:
        planes, lengths, rows, columns = self._places(window)
        inside = (rows.stop - rows.start, columns.stop - columns.start)
        if 0 in inside:
            return
        parts = np.broadcast_to(values, (*lengths, *inside)).reshape(len(planes), *inside)
        top, bottom = self._whole_chunks(rows, self.shape[-2])
        left, right = self._whole_chunks(columns, self.shape[-1])
        for plane, part in zip(planes, parts, strict=True):
            if (bottom - top, right - left) != inside:
                around = self._files.read(plane, slice(top, bottom), slice(left, right))
                around[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part
                part = around
            self._files.write(part, plane, top, left)

    def _places(self, window: tuple[int | slice, ...]) -> tuple[list[tuple[int, ...]], tuple[int, ...], slice, slice]:
        """The planes, how many along each axis that is kept, rows and columns."""
        leading = [
            range(size)[each] if isinstance(each, slice) else (range(size)[each],)
            for each, size in zip(window[:-2], self.shape[:-2], strict=True)
        ]
        kept = tuple(len(at) for each, at in zip(window[:-2], leading, strict=True) if isinstance(each, slice))
        rows, columns = (
            slice(*each.indices(size)[:2])
            for each, size in zip(window[-2:], self.shape[-2:], strict=True)
            if isinstance(each, slice)
        )
        return list(itertools.product(*leading)), kept, rows, columns

    def _whole_chunks(self, side: slice, length: int) -> tuple[int, int]:
        first = side.start // self.chunk_px * self.chunk_px
        return first, min(-(-side.stop // self.chunk_px) * self.chunk_px, length)
