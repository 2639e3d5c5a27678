"""Check the ids and axes that a label file can hold."""

from __future__ import annotations

import numpy as np

from cellseg_monai.io.image import LEADING_AXES

__all__ = ["check_ids", "check_label_axes", "id_type"]

_UINT16_MAX, _UINT32_MAX = 2**16 - 1, 2**32 - 1


def id_type(highest: int) -> type[np.unsignedinteger]:
    """Return the type in which a label image is stored as TIFF.

    Args:
        highest: highest id of the label image.

    Raises:
        ValueError: the highest id exceeds 32 bits.

    >>> id_type(70_000).__name__
    'uint32'
    """
    if highest > _UINT32_MAX:
        raise ValueError(f"the highest label is {highest}, above {_UINT32_MAX}; renumber the labels from 1 on")
    return np.uint16 if highest <= _UINT16_MAX else np.uint32


def check_ids(labels: np.ndarray, dtype: np.dtype, where: str) -> None:
    """Refuse labels that the type of a file cannot hold, which numpy would silently wrap.

    Args:
        labels: ids, of any shape.
        dtype: integer type of the file.
        where: place of the labels in the image, for messages.

    Raises:
        ValueError: an id is negative or too large.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0:
        raise ValueError(f"the lowest label is {lowest}, {where}; use 0 for background and positive ids")
    if highest > np.iinfo(dtype).max:
        raise ValueError(f"the highest label is {highest}, {where}, above {np.iinfo(dtype).max}; renumber from 1 on")


def check_label_axes(axes: str, shape: tuple[int, ...]) -> None:
    """Refuse axes that no label image has, and a shape that does not fit them.

    Args:
        axes: "YX", preceded by T, P and Z if there are several planes.
        shape: one length for every letter of `axes`.

    Raises:
        ValueError: the axes or the shape are impossible.
    """
    leading = axes[:-2]
    if not axes.endswith("YX") or leading != "".join(a for a in LEADING_AXES if a in leading):
        raise ValueError(
            f"got axes {axes!r}, expected 'YX', optionally preceded by T, P and Z in this order; reorder them"
        )
    if len(shape) != len(axes) or min(shape) < 1:
        raise ValueError(
            f"labels of shape {shape} do not fit the axes {axes!r}; pass one length, at least 1, for each axis"
        )
