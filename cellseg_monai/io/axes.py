"""Axes: which ones a file states, which ones the user states, and the way to C, Y, X."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.colours import RGB, RGBA
from cellseg_monai.io.image import LEADING_AXES, Image

__all__ = ["UNSTATED", "Stored", "UnstatedAxesError", "arrange", "settle_axes"]

_SAMPLE_AXIS = "S"  # the samples of a pixel (red, green, blue); a channel like C
_KNOWN = LEADING_AXES + "CYX" + _SAMPLE_AXIS
_LETTERS = "T, P, Z, C, Y, X or S (the samples of a colour)"

UNSTATED = "IQ"
"""tifffile's letters for "pages" and "unknown": what a reader states where the file states nothing."""


class UnstatedAxesError(UnreadableImageError):
    """A file that does not say what its axes are; `read_labels` tells another remedy than `read`."""


@dataclass(frozen=True)
class Stored:
    """An array as a file stores it, before its axes are put in order.

    Args:
        array: the decoded values.
        axes: one letter of TPZCYXS for every axis of `array`.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel, or None.
        stated: the axes by the file itself, which names and sizes follow where the user gave others;
            with a letter of `UNSTATED` for what the file does not say. None: the same as `axes`.
    """

    array: np.ndarray
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size_um: tuple[float, float] | None = None
    stated: str | None = None


def settle_axes(path: Path, shape: tuple[int, ...], stated: str | None, given: str | None, *, what: str = "") -> str:
    """Return one axis letter a dimension: what the user gives, else what the file states.

    Args:
        path: the file, for the message.
        shape: of the array that the file stores.
        stated: the axes according to the file; None if it says nothing. Axes of length 1 may have
            any letter; the others only T, P, Z, C, Y, X or S (the samples of a colour).
        given: the axes according to the user; they win.
        what: what was found, for the message ("7 pages of 200 × 300"); else the shape is told.

    Raises:
        UnstatedAxesError: if neither states the axes.
        UnreadableImageError: if what is stated does not fit the array.

    >>> settle_axes(Path("a.npy"), (7, 200, 300), None, "zyx")
    'ZYX'
    >>> settle_axes(Path("a.tif"), (7, 200, 300), None, None)
    Traceback (most recent call last):
    cellseg_monai.io.axes.UnstatedAxesError: a.tif: an array of 7 × 200 × 300 and nothing in the file
    says what its axes are; pass axes='ZYX' (or TYX, CYX)
    """
    if given is not None:
        return _check_given(path, shape, given.upper())
    if stated is None:
        stated = UNSTATED[0] * len(shape)
    unknown = [a for a, n in zip(stated, shape, strict=True) if n > 1 and a not in _KNOWN]
    named = [a for a in unknown if a not in UNSTATED]
    if named:
        verb = "is" if len(named) == 1 else "are"
        raise UnstatedAxesError(
            path,
            f"its axes are {stated} ({_times(shape)}), of which {', '.join(named)} {verb} not known here",
            f"pass axes, with one of {_LETTERS} in their place",
        )
    if unknown:
        found = what or f"an array of {_times(shape)}"
        its = "they are" if what else "its axes are"
        raise UnstatedAxesError(
            path, f"{found} and nothing in the file says what {its}", f"pass axes={_suggest(shape)}"
        )
    missing = [a for a in "YX" if a not in stated]
    if missing:
        raise UnreadableImageError(
            path, f"its axes are {stated}, so that it holds no images of Y and X", "export image planes"
        )
    return stated


def _check_given(path: Path, shape: tuple[int, ...], given: str) -> str:
    remedy = f"give one letter of {_LETTERS} for each of its {len(shape)} axes"
    if len(given) != len(shape):
        raise UnreadableImageError(path, f"axes={given!r} for an array of {_times(shape)}", remedy)
    odd = sorted(set(given) - set(_KNOWN))
    if odd or len(set(given)) != len(given):
        raise UnreadableImageError(path, f"axes={given!r} has {'unknown' if odd else 'repeated'} letters", remedy)
    if "Y" not in given or "X" not in given:
        raise UnreadableImageError(path, f"axes={given!r} names no Y and X", remedy)
    return given


def arrange(path: Path, stored: Stored, *, by_user: bool = False) -> Image:
    """Return the image with its axes in the order T, P, Z, C, Y, X, as far as it has them.

    Args:
        path: the file, for messages.
        stored: its array.
        by_user: whether the user gave the axes, so that 3 or 4 samples (S) are a colour even where the
            file does not say which.

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
    names = _channel_names(stored, array.shape[-3], by_user=by_user)
    return Image(array, "".join(leading) + "CYX", _pixel_size(stored), names)


def _pixel_size(stored: Stored) -> tuple[float, float] | None:
    """Height and width along the axes that are now Y and X."""
    if stored.pixel_size_um is None or stored.stated is None:
        return stored.pixel_size_um
    by_place = dict(zip(map(stored.stated.find, "YX"), stored.pixel_size_um, strict=True))
    height, width = (by_place.get(stored.axes.index(axis)) for axis in "YX")
    return None if height is None or width is None else (height, width)


def _channel_names(stored: Stored, count: int, *, by_user: bool) -> tuple[str, ...]:
    """The file's names, if its channels still are the channels; of samples that the user calls so, the colours."""
    same = stored.stated is None or _channel_places(stored.stated) == _channel_places(stored.axes)
    if same and len(stored.channel_names) == count:
        return stored.channel_names
    is_colour = by_user and _SAMPLE_AXIS in stored.axes and "C" not in stored.axes
    return next((names for names in (RGB, RGBA) if is_colour and len(names) == count), ())


def _channel_places(axes: str) -> list[int]:
    return [place for place, axis in enumerate(axes) if axis in "C" + _SAMPLE_AXIS]


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _suggest(shape: tuple[int, ...]) -> str:
    if len(shape) == 3:
        if shape[-1] in (3, 4):
            return "'YXS' for colours, 'YXC' for other channels (or CYX, ZYX, TYX)"
        return "'ZYX' (or TYX, CYX)"
    if len(shape) == 4:
        return "'ZCYX' (or TCYX, TZYX, ZYXC)"
    return f"one letter of {_LETTERS} for each axis"
