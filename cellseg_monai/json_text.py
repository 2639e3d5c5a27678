"""Reading JSON that anybody may have written."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["parse_json", "readable_json"]

_DEEPEST = 64
_LONG, _LONG_IN_BYTES = re.compile(r"[0-9]{20}"), re.compile(rb"[0-9]{20}")


def parse_json(text: str | bytes) -> Any:
    """Return the content of JSON text.

    Python's parser, and functions that walk through its result, end with a RecursionError if lists and objects are
    nested too deep. No file of this package needs more than a few levels.

    Whole numbers of more than 64 bits become floats, or infinite, because no other type of number can hold them. What
    reads the content refuses them like any other number that makes no sense.

    Raises:
        ValueError: the text is not JSON, or its lists and objects are nested more than 64 deep.

    >>> parse_json('{"tile": [64, 64]}')
    {'tile': [64, 64]}
    >>> parse_json("1" + 400 * "0")
    inf
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
        ...
    ValueError: its lists and objects are nested more than 64 deep
    """
    has_long = (_LONG_IN_BYTES if isinstance(text, bytes) else _LONG).search(text)  # type: ignore[arg-type]
    try:
        content = json.loads(text, parse_int=_whole_number if has_long else None)
    except RecursionError:
        raise ValueError(f"its lists and objects are nested more than {_DEEPEST} deep") from None
    level = [content]
    for _ in range(_DEEPEST + 1):
        level = [part for value in level for part in _parts(value) if isinstance(part, dict | list)]
        if not level:
            return content
    raise ValueError(f"its lists and objects are nested more than {_DEEPEST} deep")


def _whole_number(digits: str) -> int | float:
    return float(digits) if len(digits) > 21 or abs(int(digits)) >= 2**64 else int(digits)


def readable_json(content: Any, *, indent: int | None = 1) -> str:
    r"""Return JSON text with the letters of all languages as they are.

    On Linux, a file name can contain bytes that are no text. They are written as escape sequences, as UTF-8 has none.

    Args:
        content: plain data.
        indent: number of spaces by which each level is indented; None for a single line.

    >>> print(readable_json({"image": "é\\udcff.tif"}, indent=None))
    {"image": "é\\udcff.tif"}
    """
    return json.dumps(content, indent=indent, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _parts(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
