"""The `_seg.npy` files of Cellpose: a pickled dictionary, of which only arrays are taken."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["holds_objects", "read_masks"]

# How numpy pickles arrays, dtypes and single values, under whatever module a version of it keeps them.
_HARMLESS = {
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "_reconstruct": np.zeros(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
}


def holds_objects(path: Path) -> bool:
    """Tell whether a `.npy` file holds Python objects rather than numbers."""
    with path.open("rb") as stream:
        return _dtype(stream).hasobject


def read_masks(path: Path) -> np.ndarray:
    """Return the masks of a `_seg.npy` file, running nothing that the file brings along.

    A pickle may name any function to be called. Here everything that is not an array of numpy's becomes a placeholder.

    Raises:
        ValueError: the file is no dictionary with an array under "masks".
    """
    with path.open("rb") as stream:
        _dtype(stream)
        content = _ArraysOnly(stream).load()
    saved = content.item() if isinstance(content, np.ndarray) and content.shape == () else None
    masks = saved.get("masks") if isinstance(saved, dict) else None
    if not isinstance(masks, np.ndarray) or masks.dtype.hasobject:
        raise ValueError("a file of Python objects without the masks that a _seg.npy of Cellpose has")
    return masks


def _dtype(stream: Any) -> np.dtype:
    """The dtype in the header; leaves the stream behind it."""
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in reader:
        raise ValueError(f"a .npy file of version {version}")
    return reader[version](stream)[2]


class _Placeholder:
    """Stands for an object of any class that is not needed."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = module.split(".")[0] == "numpy" and name in _HARMLESS
        return _HARMLESS[name] if known else _Placeholder
