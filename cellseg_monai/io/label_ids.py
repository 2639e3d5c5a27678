"""Check that a label file can hold the given ids and axes."""

from __future__ import annotations

import numpy as np

from cellseg_monai.formats.axes import LEADING_AXES

__all__ = ["check_ids", "check_label_axes", "id_type"]

_UINT16_MAX, _UINT32_MAX = 2**16 - 1, 2**32 - 1


def id_type(highest: int) -> type[np.unsignedinteger]:
    """Return the integer type for storing a label image as TIFF.

    Args:
        highest: highest id in the label image.

    Raises:
        ValueError: the highest id exceeds 32 bits.

    >>> id_type(70_000).__name__
    'uint32'
    """
    if highest > _UINT32_MAX:
        raise ValueError(f"got label {highest}, expected at most {_UINT32_MAX}; renumber the labels from 1")
    return np.uint16 if highest <= _UINT16_MAX else np.uint32


def check_ids(labels: np.ndarray, dtype: np.dtype, where: str) -> None:
    """Reject ids that do not fit into the file's integer type, because NumPy would silently wrap them around.

    Args:
        labels: ids in an array of any shape.
        dtype: integer type of the file.
        where: position of the labels in the image for error messages, such as "in plane (2,)".

    Raises:
        ValueError: an id is negative or too large.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0:
        raise ValueError(f"got label {lowest} {where}, expected no negative labels; use 0 for background")
    if highest > np.iinfo(dtype).max:
        raise ValueError(
            f"got label {highest} {where}, expected at most {np.iinfo(dtype).max}; renumber the labels from 1"
        )


def check_label_axes(axes: str, shape: tuple[int, ...]) -> None:
    """Reject axes that a label image cannot have, or a shape that does not match the axes.

    Args:
        axes: "YX", preceded by whichever of T, P and Z the image has.
        shape: one length per letter of `axes`.

    Raises:
        ValueError: the axes are invalid, or the shape does not match them.
    """
    leading = axes[:-2]
    if not axes.endswith("YX") or leading != "".join(a for a in LEADING_AXES if a in leading):
        raise ValueError(
            f"got axes {axes!r}, expected 'YX', optionally preceded by T, P and Z in that order; reorder the axes"
        )
    if len(shape) != len(axes) or min(shape) < 1:
        raise ValueError(f"got labels of shape {shape} for axes {axes!r}; pass one length of at least 1 for each axis")
