"""Showing names and messages on one line, because a file can have any name.

A name can contain a line break and look like another line of output, or contain codes that move the cursor of a
terminal. On Linux, it can also contain bytes that are no text, which Python represents by surrogates.
"""

from __future__ import annotations

import re

__all__ = ["Lines", "lines", "message_of", "one_line"]

# Control characters, line separators, characters that reverse the direction of text, and surrogates.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: object) -> str:
    r"""Return text as it is shown: line breaks and other characters that would not be visible become escape sequences.

    >>> one_line("plate 1/é.tif"), one_line("a\nerror: b.tif"), one_line("\x1b[2J\udcff.tif")
    ('plate 1/é.tif', 'a\\nerror: b.tif', '\\x1b[2J\\udcff.tif')
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


class Lines(str):
    """Text that consists of several lines, which `lines` has made; any other text is shown on one line."""

    __slots__ = ()


def lines(*texts: object) -> Lines:
    r"""Return several texts, each on one line.

    An error whose argument is of this kind is printed on several lines; see `cli`.

    >>> lines("2 faults:", "a\nb.tif is missing")
    '2 faults:\na\\nb.tif is missing'
    """
    return Lines("\n".join(map(one_line, texts)))


def message_of(error: BaseException) -> str:
    """Return the message of an error, which is of the kind `Lines` if the error was made with such text."""
    return error.args[0] if error.args and isinstance(error.args[0], Lines) else str(error)
