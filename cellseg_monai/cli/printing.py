"""Printing messages, in which a file name cannot pass for a line of its own."""

from __future__ import annotations

import io
import logging
import sys

from cellseg_monai.one_line import Lines, lines, one_line

__all__ = ["prepare_streams", "print_error", "print_line", "print_lines"]


def print_line(text: object) -> None:
    """Print text on one line, unless it is of the kind `Lines`."""
    print(text if isinstance(text, Lines) else one_line(text))


def print_lines(text: str) -> None:
    """Print text of this package that has several lines."""
    print(lines(*text.split("\n")))


def print_error(text: object) -> None:
    """Print text like `print_line`, but to the stream for notes and errors."""
    print(text if isinstance(text, Lines) else one_line(text), file=sys.stderr)


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the message on one line."""
        return one_line(super().formatMessage(record))


def prepare_streams() -> None:
    """Let any name be read and printed, whatever its characters and the encoding of the terminal are."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    if logging.lastResort is not None:  # which prints warnings
        logging.lastResort.setFormatter(_OneLine())
