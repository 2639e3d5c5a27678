"""Write and read Zarr arrays (version 2) chunk by chunk, storing even empty chunks.

The format consists of a JSON file and one compressed file per chunk. The zarr package is not used for writing, because
it omits chunks of zeros, in ways that differ between versions. An empty chunk would then look like a lost one. This
module writes every chunk, either completely or not at all, so a missing file always means a lost chunk.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.boxes import overlaps, squares

__all__ = ["ZarrChunks"]


@dataclass(frozen=True)
class ZarrChunks:
    """An array in a folder of chunks, which can be sliced and sent to other processes.

    A chunk can be read only after it has been written. Several threads or processes can write at the same time, as long
    as they write to different chunks.

    Args:
        folder: folder of the array.
        shape: length of each axis, Y and X last. Along the other axes, a chunk is one plane thick.
        dtype: type of the values.
        chunk_px: side of a chunk, in pixels.

    >>> import tempfile
    >>> array = ZarrChunks(Path(tempfile.mkdtemp()) / "ids", (1, 3, 4), np.dtype(np.uint32), chunk_px=2)
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
        """Shape of a chunk, under the name that zarr uses."""
        return (*(1 for _ in self.shape[:-2]), self.chunk_px, self.chunk_px)

    def create(self) -> None:
        """Create the folder and the metadata file of the array."""
        self.folder.mkdir(parents=True, exist_ok=True)
        description = {
            "zarr_format": 2,
            "shape": self.shape,
            "chunks": self.chunks,
            "dtype": self.dtype.newbyteorder("<").str,
            "compressor": self._codec.get_config(),
            "fill_value": 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }
        (self.folder / ".zarray").write_text(json.dumps(description, indent=1), encoding="utf-8")

    def write(self, values: np.ndarray, plane: tuple[int, ...], y: int, x: int) -> None:
        """Write whole chunks.

        Args:
            values: YX array of whole chunks; it can end within a chunk only at the far edges of the image.
            plane: indices along the axes before Y and X.
            y: row of the top left corner, a multiple of `chunk_px`.
            x: column of the top left corner, a multiple of `chunk_px`.
        """
        side = self.chunk_px
        for rows, columns in squares(values.shape, side):
            part = values[rows, columns]
            chunk = np.zeros((side, side), self.dtype.newbyteorder("<"))
            chunk[: part.shape[0], : part.shape[1]] = part
            file = self._file((*plane, (y + rows.start) // side, (x + columns.start) // side))
            with replacing(file, durable=False) as aside:
                aside.write_bytes(self._codec.encode(chunk))

    def read(self, plane: tuple[int, ...], y: slice, x: slice) -> np.ndarray:
        """Return the values in a window; all chunks that the window touches must have been written.

        Args:
            plane: indices along the axes before Y and X.
            y: rows, as a slice with start and stop.
            x: columns, as a slice with start and stop.
        """
        side, values = self.chunk_px, np.empty((y.stop - y.start, x.stop - x.start), self.dtype)
        for rows, columns in itertools.product(overlaps(y, side), overlaps(x, side)):
            encoded = self._file((*plane, rows.cell, columns.cell)).read_bytes()
            chunk = np.frombuffer(self._codec.decode(encoded), self.dtype.newbyteorder("<")).reshape(side, side)
            values[rows.in_window, columns.in_window] = chunk[rows.in_cell, columns.in_cell]
        return values

    def places(self) -> Iterator[tuple[tuple[int, ...], slice, slice]]:
        """Yield the plane, rows and columns of every chunk."""
        for plane in itertools.product(*map(range, self.shape[:-2])):
            for rows, columns in squares(self.shape, self.chunk_px):
                yield plane, rows, columns

    def missing(self) -> list[tuple[tuple[int, ...], slice, slice]]:
        """Return the plane, rows and columns of each chunk that has not been written."""
        side = self.chunk_px
        return [
            (plane, rows, columns)
            for plane, rows, columns in self.places()
            if not self._file((*plane, rows.start // side, columns.start // side)).exists()
        ]

    def check_complete(self) -> None:
        """Check that every chunk has been written.

        Raises:
            OSError: chunks are missing.
        """
        if missing := self.missing():
            plane, rows, columns = missing[0]
            raise OSError(
                f"{self.folder}: {len(missing)} chunks are missing, the first in plane {plane} at rows {rows.start} to "
                f"{rows.stop - 1}, columns {columns.start} to {columns.stop - 1}; choose a folder that all workers "
                "share, and run the command again"
            )

    def __getitem__(self, window: tuple[int | slice, ...]) -> np.ndarray:
        """Return the values in a window, given as an index or slice for each leading axis, and slices for Y and X."""
        planes, lengths, rows, columns = self._resolved(window)
        values = np.empty((len(planes), rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for plane_values, plane in zip(values, planes, strict=True):
            plane_values[...] = self.read(plane, rows, columns)
        return values.reshape(*lengths, *values.shape[1:])

    def __setitem__(self, window: tuple[int | slice, ...], values: Any) -> None:
        """Write the values in a window; chunks that the window covers only in part are read first."""
        planes, lengths, rows, columns = self._resolved(window)
        size = (rows.stop - rows.start, columns.stop - columns.start)
        if 0 in size:
            return
        top, bottom = self._whole_chunks(rows, self.shape[-2])
        left, right = self._whole_chunks(columns, self.shape[-1])
        parts = np.broadcast_to(values, (*lengths, *size)).reshape(len(planes), *size)
        for plane, part in zip(planes, parts, strict=True):
            if (bottom - top, right - left) != size:
                around = self.read(plane, slice(top, bottom), slice(left, right))
                around[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part
                part = around
            self.write(part, plane, top, left)

    def _resolved(self, window: tuple[int | slice, ...]) -> tuple[list[tuple[int, ...]], tuple[int, ...], slice, slice]:
        """Resolve a window into indices.

        Returns:
            The indices of each plane, the lengths of the sliced axes before Y and X, the rows, and the columns.
        """
        leading = [
            range(length)[part] if isinstance(part, slice) else (range(length)[part],)
            for part, length in zip(window[:-2], self.shape[:-2], strict=True)
        ]
        kept = (len(at) for part, at in zip(window[:-2], leading, strict=True) if isinstance(part, slice))
        rows, columns = (
            slice(*part.indices(length)[:2])
            for part, length in zip(window[-2:], self.shape[-2:], strict=True)
            if isinstance(part, slice)
        )
        return list(itertools.product(*leading)), tuple(kept), rows, columns

    def _whole_chunks(self, side: slice, length: int) -> tuple[int, int]:
        """Return the start and stop of the chunks that a window touches along an axis."""
        first = side.start // self.chunk_px * self.chunk_px
        return first, min(-(-side.stop // self.chunk_px) * self.chunk_px, length)

    @property
    def _codec(self) -> Any:
        return _codec(self.chunk_px**2 * self.dtype.itemsize)

    def _file(self, place: tuple[int, ...]) -> Path:
        return self.folder.joinpath(*map(str, place))


@lru_cache
def _codec(chunk_bytes: int) -> Any:
    """Return the compressor for chunks of this size."""
    from numcodecs import Blosc  # slow to import, needed only for chunks

    # Use a single block per chunk. Blosc's threads write several blocks in the order in which they finish, so the same
    # labels would give different bytes each time.
    return Blosc("zstd", clevel=3, shuffle=Blosc.SHUFFLE, blocksize=chunk_bytes)
