"""Keep the labels of a stack on disk until all planes are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray, squares
from cellseg_monai.io.label_ids import check_ids
from cellseg_monai.io.zarr_chunks import ZarrChunks

__all__ = ["LabelSpool"]

_CHUNK_PX = 1024


class LabelSpool:
    """A stack of label images in a folder, which can be sliced like an array.

    Args:
        folder: folder for the chunks; the caller creates and removes it.
        shape: lengths of the axes before Y and X, then of Y and X.

    >>> import tempfile
    >>> spool = LabelSpool(Path(tempfile.mkdtemp()), (2, 3, 4))
    >>> spool.add((1,), np.full((3, 4), 7))
    >>> spool[1, 0:1, :]
    array([[7, 7, 7, 7]], dtype=uint32)
    """

    def __init__(self, folder: Path, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype = shape, np.dtype(np.uint32)
        self._chunks = ZarrChunks(folder, shape, self.dtype, _CHUNK_PX)

    def add(self, place: tuple[int, ...], labels: SlicedArray) -> None:
        """Store a plane; a plane on disk is read one chunk at a time.

        Args:
            place: indices of the plane along the axes before Y and X.
            labels: YX ids from 0 on.

        Raises:
            ValueError: an id is negative or exceeds 32 bits.
        """
        for rows, columns in squares(self.shape, _CHUNK_PX):
            part = np.asarray(labels[rows, columns])
            check_ids(part, self.dtype, f"in plane {place}, row {rows.start}, column {columns.start}")
            self._chunks.write(part, place, rows.start, columns.start)

    def __getitem__(self, window: tuple[int | slice, ...]) -> np.ndarray:
        *place, rows, columns = window
        y, x = (slice(*part.indices(n)[:2]) for part, n in zip((rows, columns), self.shape[-2:], strict=True))  # type: ignore[union-attr]
        return self._chunks.read(tuple(place), y, x)  # type: ignore[arg-type]
