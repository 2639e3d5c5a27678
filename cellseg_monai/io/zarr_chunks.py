"""Write and read the chunks of a Zarr array (version 2) as files, each complete or absent; none is omitted.

The format consists of a JSON file and one compressed file for each chunk. The zarr package is not used for writing,
because it omits chunks of zeros, in ways that differ between versions. An empty part would then look like a lost one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.boxes import overlaps, squares

__all__ = ["ZarrChunks"]


@dataclass(frozen=True)
class ZarrChunks:
    """An array of planes, written in windows that begin and end at the edges of chunks.

    Args:
        folder: folder of the array.
        shape: lengths of the axes before Y and X, along which a chunk is one plane thick, then of Y and X.
        dtype: unsigned integer type of the values.
        chunk_px: side of a chunk.
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk_px: int

    def create(self) -> None:
        """Create the folder and the description of the array."""
        self.folder.mkdir(parents=True, exist_ok=True)
        description = {
            "zarr_format": 2,
            "shape": self.shape,
            "chunks": (*(1 for _ in self.shape[:-2]), self.chunk_px, self.chunk_px),
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
            values: YX; only at the end of a row or column can it be smaller than whole chunks.
            plane: indices along the axes before Y and X.
            y: row of the upper left corner, a multiple of `chunk_px`.
            x: column of the upper left corner, a multiple of `chunk_px`.
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
        """Return a window of what has been written.

        Args:
            plane: indices along the axes before Y and X.
            y: rows, with start and stop.
            x: columns, with start and stop.
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
        """Return the places of the chunks that have not been written."""
        side = self.chunk_px
        return [
            (plane, rows, columns)
            for plane, rows, columns in self.places()
            if not self._file((*plane, rows.start // side, columns.start // side)).exists()
        ]

    @cached_property
    def _codec(self) -> Any:
        from numcodecs import Blosc  # slow to import, needed only for OME-Zarr

        # Use a single block. The threads of Blosc lay out several blocks in the order in which they finish, so that the
        # same labels would give different bytes each time.
        return Blosc("zstd", clevel=3, shuffle=Blosc.SHUFFLE, blocksize=self.chunk_px**2 * self.dtype.itemsize)

    def _file(self, place: tuple[int, ...]) -> Path:
        return self.folder.joinpath(*map(str, place))
