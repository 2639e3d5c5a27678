"""Determine the axes of an array from what the file and the user state."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.errors import UnreadableImageError

__all__ = [
    "KNOWN_AXES",
    "LEADING_AXES",
    "SAMPLE_AXIS",
    "UNSTATED",
    "MisfitAxesError",
    "UnstatedAxesError",
    "settle_axes",
    "shape_text",
    "suggested_axes",
]

LEADING_AXES = "TPZ"
"""Time, position and depth: the axes that can precede C, Y and X, in this order."""

SAMPLE_AXIS = "S"
"""The samples of a colour, such as red, green and blue; readers merge this axis with C."""

KNOWN_AXES = LEADING_AXES + "CYX" + SAMPLE_AXIS
_LETTERS = "T, P, Z, C, Y, X or S (the samples of a colour)"

UNSTATED = "IQ"
"""Letters for axes that the file does not state: tifffile uses I for pages and Q for other unknown axes."""


class MisfitAxesError(UnreadableImageError):
    """Axes from the user that do not fit the array in the file."""


class UnstatedAxesError(UnreadableImageError):
    """A file that does not state its axes; `read_labels` catches this error to suggest a remedy for label images."""


def settle_axes(
    path: Path, shape: tuple[int, ...], stated: str | None, user_axes: str | None, *, description: str = ""
) -> str:
    """Return one axis letter per dimension, as stated by the user or else by the file.

    Args:
        path: image file, named in error messages.
        shape: shape of the stored array.
        stated: axes according to the file, or None if it does not state them. An axis of length 1 can have any letter.
            All others must be one of T, P, Z, C, Y, X and S (the samples of a colour).
        user_axes: axes according to the user, which take precedence; None if the user stated none.
        description: the array in words for error messages, such as "7 pages of 200 × 300"; if empty, the messages give
            its shape.

    Raises:
        UnstatedAxesError: neither the file nor the user states the axes, or the file has an unsupported axis.
        MisfitAxesError: the axes from the user do not fit the array.
        UnreadableImageError: the axes in the file do not include Y and X.

    >>> settle_axes(Path("a.npy"), (7, 200, 300), None, "zyx")
    'ZYX'
    >>> settle_axes(Path("a.tif"), (7, 200, 300), None, None)
    Traceback (most recent call last):
    cellseg_monai.formats.axes.UnstatedAxesError: a.tif: the file holds an array of shape 7 × 200 × 300 but does not
    say what its axes are; pass axes='ZYX' (or TYX, CYX)
    """
    if user_axes is not None:
        return _check_user_axes(path, shape, user_axes.upper())
    if stated is None:
        stated = UNSTATED[0] * len(shape)
    unknown = [a for a, n in zip(stated, shape, strict=True) if n > 1 and a not in KNOWN_AXES]
    named = [a for a in unknown if a not in UNSTATED]
    if named:
        verb = "is" if len(named) == 1 else "are"
        raise UnstatedAxesError(
            path,
            f"its axes are {stated} ({shape_text(shape)}), and {', '.join(named)} {verb} not supported",
            f"pass axes that use only the letters {_LETTERS}",
        )
    if unknown:
        array = description or f"an array of shape {shape_text(shape)}"
        subject = "they are" if description else "its axes are"
        raise UnstatedAxesError(
            path, f"the file holds {array} but does not say what {subject}", f"pass axes={suggested_axes(shape)}"
        )
    missing = [a for a in "YX" if a not in stated]
    if missing:
        raise UnreadableImageError(
            path, f"its axes are {stated}, without both Y and X", "export it as planes with Y and X axes"
        )
    return stated


def _check_user_axes(path: Path, shape: tuple[int, ...], user_axes: str) -> str:
    remedy = f"pass one of {_LETTERS} for each of the {len(shape)} axes"
    if len(user_axes) != len(shape):
        raise MisfitAxesError(path, f"got axes={user_axes!r} for an array of shape {shape_text(shape)}", remedy)
    unknown = set(user_axes) - set(KNOWN_AXES)
    if unknown or len(set(user_axes)) != len(user_axes):
        raise MisfitAxesError(
            path, f"got axes={user_axes!r} with {'unknown' if unknown else 'repeated'} letters", remedy
        )
    if "Y" not in user_axes or "X" not in user_axes:
        raise MisfitAxesError(path, f"got axes={user_axes!r}, expected both Y and X", remedy)
    return user_axes


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as text, such as "4 × 5"."""
    return " × ".join(map(str, shape))


def suggested_axes(shape: tuple[int, ...]) -> str:
    """Return the likely axes of an array of this shape, for an error message."""
    if len(shape) == 3:
        if shape[-1] in (3, 4):
            return "'YXS' for colours, 'YXC' for other channels (or CYX, ZYX, TYX)"
        return "'ZYX' (or TYX, CYX)"
    if len(shape) == 4:
        return "'ZCYX' (or TCYX, TZYX, ZYXC)"
    return f"'...', with one of {_LETTERS} for each axis"
