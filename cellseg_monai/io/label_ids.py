"""Which ids and axes a label file can hold."""

from __future__ import annotations

import numpy as np

from cellseg_monai.io.image import LEADING_AXES

__all__ = ["check_ids", "check_label_axes", "id_type"]

_UINT16_MAX, _UINT32_MAX = 2**16 - 1, 2**32 - 1


def id_type(highest: int) -> type[np.unsignedinteger]:
    """The type in which a label image is stored as TIFF.

    Args:
        highest: its highest id.

    Raises:
        ValueError: an id of more than 32 bits.

    >>> id_type(70_000).__name__
    'uint32'
    """
    if highest > _UINT32_MAX:
        raise ValueError(f"the highest label is {highest}, above {_UINT32_MAX}; relabel from 1 on")
    return np.uint16 if highest <= _UINT16_MAX else np.uint32


def check_ids(labels: np.ndarray, dtype: np.dtype, where: str) -> None:
    """Refuse labels that a type of the file cannot hold, which numpy would wrap.

    Raises:
        ValueError: with the place.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0:
        raise ValueError(f"the lowest label is {lowest}, {where}; 0 is background and ids are positive")
    if highest > np.iinfo(dtype).max:
        raise ValueError(f"the highest label is {highest}, {where}, above {np.iinfo(dtype).max}; relabel from 1 on")


def check_label_axes(axes: str, shape: tuple[int, ...]) -> None:
    """Refuse axes that no label image has, and a shape that does not fit them.

    Raises:
        ValueError: if so.
    """
    leading = axes[:-2]
    if not axes.endswith("YX") or leading != "".join(a for a in LEADING_AXES if a in leading):
        raise ValueError(f"axes are {axes!r}; they must be 'YX', with T, P and Z in that order before it")
    if len(shape) != len(axes) or min(shape) < 1:
        raise ValueError(f"labels of shape {shape} with axes {axes!r}; give one length, at least 1, for each")
