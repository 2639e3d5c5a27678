"""Axes: which ones a file states, which ones the user states, and the way to C, Y, X."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.image import LEADING_AXES, Image

__all__ = ["Stored", "arrange", "settle_axes"]

_SAMPLE_AXIS = "S"  # the samples of a pixel (red, green, blue); a channel like C
_KNOWN = LEADING_AXES + "CYX" + _SAMPLE_AXIS


@dataclass(frozen=True)
class Stored:
    """An array as a file stores it, before its axes are put in order.

    Args:
        array: the decoded values.
        axes: one letter of TPZCYXS for every axis of `array`.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel, or None.
    """

    array: np.ndarray
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size_um: tuple[float, float] | None = None


def settle_axes(path: Path, shape: tuple[int, ...], stated: str | None, given: str | None, *, what: str = "") -> str:
    """Return one axis letter a dimension: what the user gives, else what the file states.

    Args:
        path: the file, for the message.
        shape: of the array that the file stores.
        stated: the axes according to the file; None if it says nothing. Axes of length 1 may have
            any letter; the others only T, P, Z, C, Y, X or S.
        given: the axes according to the user; they win.
        what: what was found, for the message ("7 pages of 200 × 300"); else the shape is told.

    Raises:
        UnreadableImageError: if neither states the axes, or what is stated does not fit the array.

    >>> settle_axes(Path("a.npy"), (7, 200, 300), None, "zyx")
    'ZYX'
    >>> settle_axes(Path("a.tif"), (7, 200, 300), None, None)
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: an array of 7 × 200 × 300 and nothing in the file
    says what its axes are; pass axes='ZYX' (or TYX, CYX)
    """
    if given is not None:
        return _check_given(path, shape, given.upper())
    unknown = stated is None or any(a not in _KNOWN for a, n in zip(stated, shape, strict=True) if n > 1)
    if unknown:
        found = what or f"an array of {_times(shape)}"
        its = "they are" if what else "its axes are"
        raise UnreadableImageError(
            path, f"{found} and nothing in the file says what {its}", f"pass axes={_suggest(shape)}"
        )
    assert stated is not None
    missing = [a for a in "YX" if a not in stated]
    if missing:
        raise UnreadableImageError(
            path, f"its axes are {stated}, so that it holds no images of Y and X", "export image planes"
        )
    return stated


def _check_given(path: Path, shape: tuple[int, ...], given: str) -> str:
    remedy = f"give one letter of T, P, Z, C, Y, X for each of its {len(shape)} axes"
    if len(given) != len(shape):
        raise UnreadableImageError(path, f"axes={given!r} for an array of {_times(shape)}", remedy)
    odd = sorted(set(given) - set(_KNOWN))
    if odd or len(set(given)) != len(given):
        raise UnreadableImageError(path, f"axes={given!r} has {'unknown' if odd else 'repeated'} letters", remedy)
    if "Y" not in given or "X" not in given:
        raise UnreadableImageError(path, f"axes={given!r} names no Y and X", remedy)
    return given


def arrange(path: Path, stored: Stored) -> Image:
    """Return the image with its axes in the order T, P, Z, C, Y, X, as far as it has them.

    Raises:
        UnreadableImageError: if the values are complex or the array is empty.

    >>> rgb = Stored(np.zeros((4, 6, 3), np.uint8), "YXS", ("red", "green", "blue"))
    >>> image = arrange(Path("rgb.png"), rgb)
    >>> image.axes, image.pixels.shape
    ('CYX', (3, 4, 6))
    """
    array, axes = stored.array, stored.axes
    if array.size == 0:
        raise UnreadableImageError(path, f"the image is empty ({_times(array.shape)})", "export it again")
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise UnreadableImageError(path, f"pixels of type {array.dtype}", "save real numbers of at most 64 bits")
    odd = tuple(i for i, a in enumerate(axes) if a not in _KNOWN)  # of length 1: settle_axes saw to it
    array = np.squeeze(array, odd)
    axes = "".join(a for a in axes if a in _KNOWN)
    order = [a for a in LEADING_AXES + "C" + _SAMPLE_AXIS + "YX" if a in axes]
    array = array.transpose([axes.index(a) for a in order])
    leading = [a for a in LEADING_AXES if a in axes and (a != "P" or array.shape[order.index("P")] > 1)]
    shape = tuple(array.shape[order.index(a)] for a in leading)
    # C and S are both channels; -1 merges the two, or makes the one that is not there.
    array = array.reshape(*shape, -1, *array.shape[-2:])
    # Copied only where the order, the byte order or a decoder's read-only buffer asks for it.
    copy = None if array.flags.writeable else True
    array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=copy)
    names = stored.channel_names if len(stored.channel_names) == array.shape[-3] else ()
    return Image(array, "".join(leading) + "CYX", stored.pixel_size_um, names)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _suggest(shape: tuple[int, ...]) -> str:
    if len(shape) == 3:
        if shape[-1] in (3, 4):
            return "'YXC' (or CYX, ZYX, TYX)"
        return "'ZYX' (or TYX, CYX)"
    if len(shape) == 4:
        return "'ZCYX' (or TCYX, TZYX, ZYXC)"
    return "one letter of T, P, Z, C, Y, X for each axis"
