"""Collect the labels of a stack on disk, plane by plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray, squares
from cellseg_monai.io.label_ids import check_ids
from cellseg_monai.io.zarr_chunks import ZarrChunks

__all__ = ["LabelSpool"]


class LabelSpool(ZarrChunks):
    """A stack of label images in a folder, which can be sliced like an array.

    Args:
        folder: folder for the chunks; the caller has to remove it.
        shape: length of each axis, Y and X last.

    >>> import tempfile
    >>> spool = LabelSpool(Path(tempfile.mkdtemp()), (2, 3, 4))
    >>> spool.add((1,), np.full((3, 4), 7))
    >>> spool[1, 0:1, :]
    array([[7, 7, 7, 7]], dtype=uint32)
    """

    def __init__(self, folder: Path, shape: tuple[int, ...]) -> None:
        super().__init__(folder, shape, np.dtype(np.uint32))

    def add(self, place: tuple[int, ...], labels: SlicedArray) -> None:
        """Store a plane, chunk by chunk.

        Args:
            place: indices of the plane along the axes before Y and X.
            labels: YX array of non-negative ids, or anything that can be sliced like one.

        Raises:
            ValueError: an id is negative or exceeds 32 bits.
        """
        for rows, columns in squares(self.shape, self.chunk_px):
            part = np.asarray(labels[rows, columns])
            check_ids(part, self.dtype, f"in plane {place}, in the block at row {rows.start}, column {columns.start}")
            self.write(part, place, rows.start, columns.start)
