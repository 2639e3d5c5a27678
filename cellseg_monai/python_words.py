"""Words of a command line that python-fire would read as Python, although they are names of files or folders."""

from __future__ import annotations

import io
import tokenize

from fire.parser import DefaultParseValue

__all__ = ["is_cut_at_comment", "is_spaced_number"]


def is_cut_at_comment(word: str) -> bool:
    """Return True if python-fire would read only what stands before a `#`.

    >>> is_cut_at_comment("plate#1"), is_cut_at_comment("{'a': 'plate#1'}"), is_cut_at_comment("it's #1")
    (True, False, False)
    """
    if "#" not in word or DefaultParseValue(word) == word:
        return False
    tokens = tokenize.generate_tokens(io.StringIO(word).readline)
    return any(token.type == tokenize.COMMENT for token in tokens)


def is_spaced_number(word: str) -> bool:
    """Return True for digits with underscores, such as a date, which Python would read as one number.

    >>> is_spaced_number("2024_01_15"), is_spaced_number("20240115"), is_spaced_number("plate_1")
    (True, False, False)
    """
    return "_" in word and word.replace("_", "").isdigit()
