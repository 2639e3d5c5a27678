"""Axes: which ones a file states, and which ones the user states."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.image import LEADING_AXES

__all__ = [
    "KNOWN_AXES",
    "SAMPLE_AXIS",
    "UNSTATED",
    "MisfitAxesError",
    "UnstatedAxesError",
    "settle_axes",
    "suggested_axes",
    "times",
]

SAMPLE_AXIS = "S"
"""The samples of a pixel (red, green, blue): a channel like C."""

KNOWN_AXES = LEADING_AXES + "CYX" + SAMPLE_AXIS
_LETTERS = "T, P, Z, C, Y, X or S (the samples of a colour)"

UNSTATED = "IQ"
"""tifffile's letters for "pages" and "unknown": what a reader states where the file states nothing."""


class MisfitAxesError(UnreadableImageError):
    """Axes that the user gave, and that the array of a file cannot have."""


class UnstatedAxesError(UnreadableImageError):
    """A file that does not say what its axes are; `read_labels` tells another remedy than `read`."""


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
        MisfitAxesError: if those that the user gives do not fit the array.
        UnreadableImageError: if those that the file states do not.

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
    unknown = [a for a, n in zip(stated, shape, strict=True) if n > 1 and a not in KNOWN_AXES]
    named = [a for a in unknown if a not in UNSTATED]
    if named:
        verb = "is" if len(named) == 1 else "are"
        raise UnstatedAxesError(
            path,
            f"its axes are {stated} ({times(shape)}), of which {', '.join(named)} {verb} not known here",
            f"pass axes, with one of {_LETTERS} in their place",
        )
    if unknown:
        found = what or f"an array of {times(shape)}"
        its = "they are" if what else "its axes are"
        raise UnstatedAxesError(
            path, f"{found} and nothing in the file says what {its}", f"pass axes={suggested_axes(shape)}"
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
        raise MisfitAxesError(path, f"axes={given!r} for an array of {times(shape)}", remedy)
    odd = sorted(set(given) - set(KNOWN_AXES))
    if odd or len(set(given)) != len(given):
        raise MisfitAxesError(path, f"axes={given!r} has {'unknown' if odd else 'repeated'} letters", remedy)
    if "Y" not in given or "X" not in given:
        raise MisfitAxesError(path, f"axes={given!r} names no Y and X", remedy)
    return given


def times(shape: tuple[int, ...]) -> str:
    """Return a shape in words: "4 × 5"."""
    return " × ".join(map(str, shape))


def suggested_axes(shape: tuple[int, ...]) -> str:
    """Return what the axes of an array of this shape may be, for a message."""
    if len(shape) == 3:
        if shape[-1] in (3, 4):
            return "'YXS' for colours, 'YXC' for other channels (or CYX, ZYX, TYX)"
        return "'ZYX' (or TYX, CYX)"
    if len(shape) == 4:
        return "'ZCYX' (or TCYX, TZYX, ZYXC)"
    return f"one letter of {_LETTERS} for each axis"
