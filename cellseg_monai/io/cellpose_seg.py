"""Read Cellpose's `_seg.npy` files, which are pickled dictionaries, without unpickling anything but arrays."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["holds_objects", "read_masks"]

# The names that pickled arrays, dtypes and scalars refer to. Their modules differ between NumPy versions.
_HARMLESS = {
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "_reconstruct": np.zeros(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
}


def holds_objects(path: Path) -> bool:
    """Return True if a `.npy` file holds Python objects rather than numbers."""
    with path.open("rb") as stream:
        return _dtype(stream).hasobject


def read_masks(path: Path) -> np.ndarray:
    """Return the masks in a `_seg.npy` file without running any code that the file refers to.

    Loading a pickle can call any function. Here, everything except NumPy arrays becomes a placeholder.

    Raises:
        ValueError: the file does not hold a dictionary with an array under "masks".
    """
    with path.open("rb") as stream:
        _dtype(stream)
        content = _ArraysOnly(stream).load()
    saved = content.item() if isinstance(content, np.ndarray) and content.shape == () else None
    masks = saved.get("masks") if isinstance(saved, dict) else None
    if not isinstance(masks, np.ndarray) or masks.dtype.hasobject:
        raise ValueError("the file holds Python objects but no masks, unlike a _seg.npy file from Cellpose")
    return masks


def _dtype(stream: Any) -> np.dtype:
    """Return the dtype in the header, leaving the stream at the end of the header."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"got version {version} of the .npy format, expected (1, 0) or (2, 0)")
    return readers[version](stream)[2]


class _Placeholder:
    """A stand-in for any pickled object that is not an array."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that restores NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        is_harmless = module.split(".")[0] == "numpy" and name in _HARMLESS
        return _HARMLESS[name] if is_harmless else _Placeholder
