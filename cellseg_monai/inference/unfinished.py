"""The folder for unfinished files in the output folder of a run, and what may be deleted there.

A user can have a folder of the same name, or a link to one. A link is refused, and only folders with the names that
this package gives are ever deleted.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

__all__ = ["UNFINISHED", "check_unfinished", "new_name", "remove_unfinished", "unfinished_folder"]

UNFINISHED = ".unfinished"
_OF_A_WORKER = re.compile(rf"{re.escape(UNFINISHED)}-[0-9a-f]{{32}}")
_OF_AN_IMAGE = re.compile("[0-9a-f]{32}")


def new_name() -> str:
    """Return a new, unique name for a folder of unfinished files."""
    return uuid4().hex


def check_unfinished(output: Path, *, is_resumed: bool) -> None:
    """Check that no folder for unfinished files exists, except one of the run that is resumed.

    Args:
        output: the output folder.
        is_resumed: True if the run in the folder is continued.

    Raises:
        FileExistsError: the folder exists without a run, or is a link or a file.
    """
    for folder in _folders(output):
        if not is_resumed or not _is_real_folder(folder):
            raise _refused(folder)


def remove_unfinished(output: Path) -> None:
    """Remove all folders for unfinished files that workers have left."""
    for folder in _folders(output):
        if folder.name != UNFINISHED:
            _clear(folder)


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[None]:
    """Remove unfinished files after the `with` block, and beforehand if a killed run left some.

    Args:
        folder: the folder for unfinished files; it need not exist, and remains if it holds anything else.

    Raises:
        FileExistsError: the folder is a link or a file.
    """
    if os.path.lexists(folder) and not _is_real_folder(folder):
        raise _refused(folder)
    _clear(folder)
    try:
        yield
    finally:
        _clear(folder)


def _folders(output: Path) -> list[Path]:
    paths = output.glob(f"{UNFINISHED}*")
    return sorted(path for path in paths if path.name == UNFINISHED or _OF_A_WORKER.fullmatch(path.name))


def _is_real_folder(path: Path) -> bool:
    """Return True for a folder that is neither a link nor, on Windows, a junction."""
    return path.is_dir() and Path(os.path.realpath(path)) == Path(os.path.realpath(path.parent)) / path.name


def _clear(folder: Path) -> None:
    if not _is_real_folder(folder):
        return
    for path in folder.iterdir():
        if _OF_AN_IMAGE.fullmatch(path.name) and _is_real_folder(path):
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # it holds something else
        folder.rmdir()


def _refused(folder: Path) -> FileExistsError:
    return FileExistsError(
        f"{folder} already exists, and unfinished results would be written there; choose another --output, or move it"
    )
