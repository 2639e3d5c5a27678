"""What a reader hands on: the values of a file as they are stored, in memory or not, and what the file says of them."""

from __future__ import annotations

from dataclasses import dataclass

from cellseg_monai.boxes import SlicedArray

__all__ = ["Stored", "is_smaller"]


@dataclass(frozen=True)
class Stored:
    """An array as a file stores it, before its axes are put in order.

    Args:
        array: the values.
        axes: one letter of TPZCYXS for every axis of `array`.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel, or None.
        stated: the axes by the file itself, which names and sizes follow where the user gave others;
            with a letter of `axes.UNSTATED` for what the file does not say. None: the same as `axes`.
        smaller: the same image at lower resolutions, the next larger first, where the file has them.
    """

    array: SlicedArray
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size_um: tuple[float, float] | None = None
    stated: str | None = None
    smaller: tuple[SlicedArray, ...] = ()


def is_smaller(array: SlicedArray, full: SlicedArray, axes: str) -> bool:
    """Tell whether an array is an image with fewer rows and columns; files file anything under a pyramid.

    >>> import numpy as np
    >>> is_smaller(np.zeros((3, 2, 2)), np.zeros((3, 4, 5)), "CYX")
    True
    >>> is_smaller(np.zeros((1, 2, 2)), np.zeros((3, 4, 5)), "CYX")
    False
    """
    if array.dtype != full.dtype or len(array.shape) != len(full.shape):
        return False
    sizes = list(zip(axes, array.shape, full.shape, strict=True))
    same = all(n == of for axis, n, of in sizes if axis not in "YX")
    return same and all(0 < n <= of for axis, n, of in sizes if axis in "YX") and array.shape != full.shape
