"""The contents of a file as readers return them: the values as stored, and their metadata."""

from __future__ import annotations

from dataclasses import dataclass

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.formats.notes import Note
from cellseg_monai.formats.sizes import NO_SIZES, Sizes

__all__ = ["Stored", "is_smaller"]


@dataclass(frozen=True)
class Stored:
    """An array as a file stores it, before its axes are reordered.

    Args:
        array: values, in memory or on disk.
        axes: one letter per axis of `array`: one of TPZCYXS, or any letter for an axis of length 1.
        channel_names: one name per channel, or empty.
        sizes: pixel size, step between planes and time between images, as far as the file states them.
        stated: axes according to the file itself, with letters from `axes.UNSTATED` for unknown ones. Channel names and
            sizes refer to these axes, even if the user stated others. None if they are the same as `axes`.
        smaller: lower resolutions of the image in the file, largest first.
        notes: what the file states but the reader did not use, apart from the notes in `sizes`.
    """

    array: SlicedArray
    axes: str
    channel_names: tuple[str, ...] = ()
    sizes: Sizes = NO_SIZES
    stated: str | None = None
    smaller: tuple[SlicedArray, ...] = ()
    notes: tuple[Note, ...] = ()


def is_smaller(array: SlicedArray, full: SlicedArray, axes: str) -> bool:
    """Return True if an array is a lower resolution of an image; some writers also put other arrays into pyramids.

    Args:
        array: array that could be a lower resolution.
        full: image at full resolution.
        axes: axes of both arrays, one letter each.

    >>> import numpy as np
    >>> is_smaller(np.zeros((3, 2, 2)), np.zeros((3, 4, 5)), "CYX")
    True
    >>> is_smaller(np.zeros((1, 2, 2)), np.zeros((3, 4, 5)), "CYX")
    False
    """
    if array.dtype != full.dtype or len(array.shape) != len(full.shape):
        return False
    sizes = list(zip(axes, array.shape, full.shape, strict=True))
    same = all(small == large for axis, small, large in sizes if axis not in "YX")
    no_larger = all(0 < small <= large for axis, small, large in sizes if axis in "YX")
    return same and no_larger and array.shape != full.shape
