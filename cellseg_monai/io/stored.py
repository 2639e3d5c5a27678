"""The contents of a file as a reader returns them: values as stored, with what the file says about them."""

from __future__ import annotations

from dataclasses import dataclass

from cellseg_monai.boxes import SlicedArray

__all__ = ["Stored", "is_smaller"]


@dataclass(frozen=True)
class Stored:
    """An array as a file stores it, before its axes are put in order.

    Args:
        array: values, in memory or on disk.
        axes: one letter of TPZCYXS for every axis of `array`.
        channel_names: one name for each channel, or empty.
        pixel_size_um: height and width of a pixel, or None.
        stated: axes according to the file itself, with a letter of `axes.UNSTATED` for unknown ones. Names and sizes
            refer to these axes, even if the user gave others. None if they are the same as `axes`.
        smaller: the same image at lower resolutions, if the file has them, in order of decreasing size.
    """

    array: SlicedArray
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size_um: tuple[float, float] | None = None
    stated: str | None = None
    smaller: tuple[SlicedArray, ...] = ()


def is_smaller(array: SlicedArray, full: SlicedArray, axes: str) -> bool:
    """Return True if an array is a smaller version of an image; writers put other arrays into pyramids, too.

    Args:
        array: candidate for a lower resolution.
        full: image at full resolution.
        axes: one letter for each axis of both arrays.

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
