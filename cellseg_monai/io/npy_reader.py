"""NumPy `.npy` files."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np

from cellseg_monai.io.axes import Stored, settle_axes
from cellseg_monai.io.decoding import decoding

__all__ = ["load"]


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the array; two dimensions are Y and X, more must be stated.

    Nothing is unpickled. The file is mapped first, so that a header that declares more than the file
    holds is refused before memory is taken.
    """
    with decoding(path, TokenError):  # numpy reads the header with Python's tokenizer
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        settled = settle_axes(path, mapped.shape, "YX" if mapped.ndim == 2 else None, axes)
        return Stored(np.array(mapped), settled)
