"""Reading files that anybody may have written: only regular files, and no text larger than memory allows.

A pipe without a writer would hang the program, and a device such as `/dev/zero` has no end.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import BinaryIO, TextIO

__all__ = ["open_regular", "open_text", "read_text"]

_MOST_BYTES = 2**32
_NO_FILE = "it is a pipe or a device, not a file"


@contextmanager
def open_regular(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for reading, unless it is a pipe or a device.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, _NO_FILE, os.fspath(path))
        yield file


@contextmanager
def open_text(
    path: str | PathLike[str],
    *,
    encoding: str = "utf-8",
    errors: str = "strict",
    newline: str | None = None,
    most_bytes: int = _MOST_BYTES,
) -> Iterator[TextIO]:
    """Open a text file for reading.

    Args:
        path: the file.
        encoding: encoding of the text.
        errors: what to do with bytes that are no text, as in `open`.
        newline: which line ends are recognised, as in `open`.
        most_bytes: size of the largest file that is read.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is a pipe, a device or larger than `most_bytes`.
    """
    with open(path, encoding=encoding, errors=errors, newline=newline, opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(_NO_FILE)
        if status.st_size > most_bytes:
            raise ValueError(f"it has {status.st_size:,} bytes, expected at most {most_bytes:,}")
        yield file


def read_text(
    path: str | PathLike[str], *, encoding: str = "utf-8", errors: str = "strict", most_bytes: int = _MOST_BYTES
) -> str:
    """Return the content of a text file; the arguments and errors are those of `open_text`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is a pipe, a device or larger than `most_bytes`, or is not text.
    """
    with open_text(path, encoding=encoding, errors=errors, most_bytes=most_bytes) as file:
        return file.read()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # otherwise, a pipe waits for a writer
