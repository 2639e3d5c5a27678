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
    """Open the array in a file. The axes of a 2-D array are Y and X; the user has to state those of any other array.

    No code that the file refers to is run. The file is memory-mapped, so a header that declares more data than the file
    holds is rejected before memory is allocated.

    Args:
        path: file to open.
        axes: axes according to the user, or None.
        indices: True to read labels; a file that holds Python objects is then read as Cellpose masks.
    """
    with decoding(path, TokenError, UnpicklingError):  # NumPy reads the header with Python's tokenizer
        array: SlicedArray
        if indices and holds_objects(path):
            array = read_masks(path)
        else:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            order = "C" if mapped.flags.c_contiguous else "F"
            array = MappedArray(path, mapped.dtype, mapped.shape, mapped.offset, order)
        shape = tuple(array.shape)
        # Labels are a single plane, so the meaning of leading axes of length 1 does not matter.
        is_plane = len(shape) == 2 or (indices and len(shape) > 2 and set(shape[:-2]) == {1})
        stated = UNSTATED[0] * (len(shape) - 2) + "YX" if is_plane else None
        stored = Stored(array, settle_axes(path, shape, stated, axes))
    yield stored
