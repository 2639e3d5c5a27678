"""Read NumPy `.npy` files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from tokenize import TokenError

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.io.axes import UNSTATED, settle_axes
from cellseg_monai.io.cellpose_seg import holds_objects, read_masks
from cellseg_monai.io.decoder_errors import decoding
from cellseg_monai.io.lazy_arrays import MappedArray
from cellseg_monai.io.stored import Stored

__all__ = ["opened"]


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open the array of a file; two dimensions are Y and X, the axes of more dimensions must be stated.

    No code that the file names is run. The file is mapped, so that a header that declares more than the file holds is
    refused before memory is allocated.

    Args:
        path: path of the file.
        axes: axes according to the user, or None.
        indices: True if labels are wanted; of a file of Python objects, the masks are then read as Cellpose stores
            them.
    """
    with decoding(path, TokenError, UnpicklingError):  # numpy reads the header with Python's tokenizer
        array: SlicedArray
        if indices and holds_objects(path):
            array = read_masks(path)
        else:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            order = "C" if mapped.flags.c_contiguous else "F"
            array = MappedArray(path, mapped.dtype, mapped.shape, mapped.offset, order)
        shape = tuple(array.shape)
        # Labels are one plane, so axes of length 1 before it can have any meaning.
        is_plane = len(shape) == 2 or (indices and len(shape) > 2 and set(shape[:-2]) == {1})
        stated = UNSTATED[0] * (len(shape) - 2) + "YX" if is_plane else None
        stored = Stored(array, settle_axes(path, shape, stated, axes))
    yield stored
