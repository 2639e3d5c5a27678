"""Text of the user's in a config of MONAI, which treats some text as an expression."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

__all__ = ["literal"]

_MARKS = ("$", "@", "%", "#", "::")


def literal(value: Any) -> Any:
    r"""Return a value that MONAI's parser takes for exactly this value.

    MONAI evaluates text that begins with `$`, replaces `@name` and `%name` by other parts of the config, and rewrites
    `#` as `::`. Paths can contain all of them. Such text becomes an expression that consists of one string, in which
    these characters are written as escapes.

    Args:
        value: text, a path, or lists and mappings of them. Anything else is returned as it is, such as a tuple, which
            MONAI does not look into.

    >>> literal("plates/a"), literal("$x"), literal("@plate1")
    ('plates/a', "$'\\x24x'", "$'\\x40plate1'")
    """
    if isinstance(value, PathLike):
        value = fspath(value)
    if isinstance(value, dict):
        return {key: literal(part) for key, part in value.items()}
    if isinstance(value, list):
        return [literal(part) for part in value]
    if not isinstance(value, str) or not any(mark in value for mark in _MARKS):
        return value
    text = ascii(value)  # also escapes what a file name can contain but source code cannot
    for mark in "$@%:#":
        text = text.replace(mark, f"\\x{ord(mark):02x}")
    return f"${text}"
