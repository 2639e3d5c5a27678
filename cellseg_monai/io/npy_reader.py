"""NumPy `.npy` files."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np

from cellseg_monai.io.axes import UNSTATED, Stored, settle_axes
from cellseg_monai.io.decoding import decoding

__all__ = ["load"]


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the array; two dimensions are Y and X, more must be stated.

    Nothing is unpickled. The file is mapped first, so that a header that declares more than the file
    holds is refused before memory is taken.
    """
    with decoding(path, TokenError):  # numpy reads the header with Python's tokenizer
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        # Labels are one plane: axes of length 1 before it may be anything.
        is_plane = mapped.ndim == 2 or (indices and mapped.ndim > 2 and set(mapped.shape[:-2]) == {1})
        stated = UNSTATED[0] * (mapped.ndim - 2) + "YX" if is_plane else None
        return Stored(np.array(mapped), settle_axes(path, mapped.shape, stated, axes))
