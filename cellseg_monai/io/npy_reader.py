"""NumPy `.npy` files."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from tokenize import TokenError

import numpy as np

from cellseg_monai.io.axes import UNSTATED, Stored, settle_axes
from cellseg_monai.io.cellpose_seg import holds_objects, read_masks
from cellseg_monai.io.decoding import decoding

__all__ = ["load"]


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the array; two dimensions are Y and X, more must be stated.

    Nothing is run that a file brings along. The file is mapped first, so that a header that declares more than the file
    holds is refused before memory is taken. Of a file of Python objects, the masks are read as Cellpose stores them, if
    indices are asked for.
    """
    with decoding(path, TokenError, UnpicklingError):  # numpy reads the header with Python's tokenizer
        if indices and holds_objects(path):
            stored = read_masks(path)
        else:
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
        # Labels are one plane: axes of length 1 before it may be anything.
        is_plane = stored.ndim == 2 or (indices and stored.ndim > 2 and set(stored.shape[:-2]) == {1})
        stated = UNSTATED[0] * (stored.ndim - 2) + "YX" if is_plane else None
        return Stored(np.array(stored), settle_axes(path, stored.shape, stated, axes))
