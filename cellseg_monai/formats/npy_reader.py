"""Read NumPy `.npy` files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import UNSTATED, settle_axes
from cellseg_monai.formats.cellpose_seg import read_header, read_masks
from cellseg_monai.formats.decoder_errors import check_exact_size, decoding
from cellseg_monai.formats.lazy_arrays import MappedArray
from cellseg_monai.formats.stored import Stored

__all__ = ["opened"]


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open the array in a file. The axes of a 2-D array are Y and X; the user has to state those of any other array.

    No code that the file refers to is run. The file is memory-mapped, after checking that it holds exactly the values
    that its header declares.

    Args:
        path: file to open.
        axes: axes according to the user, or None.
        indices: True to read labels; a file that holds Python objects is then read as Cellpose masks.

    Raises:
        UnreadableImageError: the file is damaged, holds more or less data than its header declares, or holds Python
            objects.
    """
    with decoding(path):
        array: SlicedArray = _array(path, indices=indices)
        shape = tuple(array.shape)
        # Labels are a single plane, so the meaning of leading axes of length 1 does not matter.
        is_plane = len(shape) == 2 or (indices and len(shape) > 2 and set(shape[:-2]) == {1})
        stated = UNSTATED[0] * (len(shape) - 2) + "YX" if is_plane else None
        stored = Stored(array, settle_axes(path, shape, stated, axes))
    yield stored


def _array(path: Path, *, indices: bool) -> SlicedArray:
    with path.open("rb") as stream:
        shape, is_fortran, dtype = read_header(stream)
        start = stream.tell()
    if dtype.hasobject:
        if indices:
            return read_masks(path)
        raise UnreadableImageError(
            path, "the file holds Python objects, not pixels", "save the pixels as an array of numbers"
        )
    if min(shape, default=0) < 0:
        raise UnreadableImageError(path, f"its header declares the shape {shape}", "it is damaged, so export it again")
    check_exact_size(path, math.prod(shape) * dtype.itemsize, path.stat().st_size - start)
    return MappedArray(path, dtype, shape, start, "F" if is_fortran else "C")
