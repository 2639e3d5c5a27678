"""The chunks of a Zarr array of version 2 as files: each is there whole or not at all, and none is left out.

The format is a JSON file and one compressed file a chunk. They are written here and not by zarr, which leaves chunks of
zeros away in ways that differ from version to version: then nobody could tell an empty part from one that was lost.
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
from cellseg_monai.boxes import squares

__all__ = ["ZarrChunks"]


@dataclass(frozen=True)
class ZarrChunks:
    """An array of planes that is written by windows along the lines between its chunks.

    Args:
        folder: of the array.
        shape: axes before Y, X, each of whose places has chunks of its own, then Y and X.
        dtype: unsigned, of the values.
        chunk_px: side of a chunk.
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk_px: int

    def create(self) -> None:
        """Make the folder, with the description of the array."""
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
        """Write whole chunks, from the corner at row y and column x on."""
        side = self.chunk_px
        for rows, columns in squares(values.shape, side):
            part = values[rows, columns]
            chunk = np.zeros((side, side), self.dtype.newbyteorder("<"))
            chunk[: part.shape[0], : part.shape[1]] = part
            with replacing(
                self._file((*plane, (y + rows.start) // side, (x + columns.start) // side)), durable=False
            ) as aside:
                aside.write_bytes(self._codec.encode(chunk))

    def read(self, plane: tuple[int, ...], y: slice, x: slice) -> np.ndarray:
        """Return a window of what is written."""
        side, found = self.chunk_px, np.empty((y.stop - y.start, x.stop - x.start), self.dtype)
        for row, column in itertools.product(
            range(y.start // side, -(-y.stop // side)), range(x.start // side, -(-x.stop // side))
        ):
            encoded = self._file((*plane, row, column)).read_bytes()
            chunk = np.frombuffer(self._codec.decode(encoded), self.dtype.newbyteorder("<")).reshape(side, side)
            (to_y, of_y), (to_x, of_x) = _overlap(y, row * side, side), _overlap(x, column * side, side)
            found[to_y, to_x] = chunk[of_y, of_x]
        return found

    def places(self) -> Iterator[tuple[tuple[int, ...], slice, slice]]:
        """The plane, rows and columns of every chunk."""
        for plane in itertools.product(*map(range, self.shape[:-2])):
            for rows, columns in squares(self.shape, self.chunk_px):
                yield plane, rows, columns

    def missing(self) -> list[tuple[tuple[int, ...], slice, slice]]:
        """The places of the chunks that nobody has written."""
        side = self.chunk_px
        return [
            at for at in self.places() if not self._file((*at[0], at[1].start // side, at[2].start // side)).exists()
        ]

    @cached_property
    def _codec(self) -> Any:
        from numcodecs import Blosc  # only who writes OME-Zarr waits for it

        # In one block: where Blosc makes several, threads of its own lay them out in the order in which they end, and
        # the same labels would give other bytes each time.
        return Blosc("zstd", clevel=3, shuffle=Blosc.SHUFFLE, blocksize=self.chunk_px**2 * self.dtype.itemsize)

    def _file(self, place: tuple[int, ...]) -> Path:
        return self.folder.joinpath(*map(str, place))


def _overlap(window: slice, start: int, n: int) -> tuple[slice, slice]:
    """What a window and a chunk share: within the window, and within the chunk."""
    first, last = max(window.start, start), min(window.stop, start + n)
    return slice(first - window.start, last - window.start), slice(first - start, last - start)
