"""Read Cellpose's `_seg.npy` files, which are pickled dictionaries, without unpickling anything but arrays."""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

__all__ = ["read_header", "read_masks"]

# The names that pickled arrays, dtypes and scalars refer to. Their modules differ between NumPy versions.
_HARMLESS = {
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "_reconstruct": np.zeros(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
}


def read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of a `.npy` file, leaving the stream at the end of the header.

    Returns:
        The shape of the array, True if it is stored in Fortran order, and the dtype of its values.

    Raises:
        ValueError: the header is damaged.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"got version {version} of the .npy format, expected (1, 0) or (2, 0)")
    header: tuple[tuple[int, ...], bool, np.dtype] = readers[version](stream)
    return header


def read_masks(path: Path) -> np.ndarray:
    """Return the masks in a `_seg.npy` file without running any code that the file refers to.

    Loading a pickle can call any function. Here, everything except NumPy arrays becomes a placeholder.

    Raises:
        ValueError: the file does not hold a dictionary with an array under "masks".
    """
    # In memory, so that no more than the file holds is allocated, whatever length the pickle states.
    stream = BytesIO(path.read_bytes())
    read_header(stream)
    content = _ArraysOnly(stream).load()
    saved = content.item() if isinstance(content, np.ndarray) and content.shape == () else None
    masks = saved.get("masks") if isinstance(saved, dict) else None
    if not isinstance(masks, np.ndarray) or masks.dtype.hasobject:
        raise ValueError("the file holds Python objects but no masks, unlike a _seg.npy file from Cellpose")
    return masks


class _Placeholder:
    """A stand-in for any pickled object that is not an array."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _ArraysOnly(pickle._Unpickler):  # the one in Python, because the one in C allocates as many places as stated
    """An unpickler that restores NumPy arrays and nothing else."""

    dispatch: ClassVar[dict[int, Any]] = {
        code: load for code, load in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module: str, name: str) -> Any:
        is_harmless = module.split(".")[0] == "numpy" and name in _HARMLESS
        return _HARMLESS[name] if is_harmless else _Placeholder
