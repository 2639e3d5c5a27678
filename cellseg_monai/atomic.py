"""Files and folders that are there whole, or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["leftovers", "replacing", "replacing_folder"]


@contextmanager
def replacing(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to; renamed to `path` when the block ends well, removed when it fails.

    Readers see the old file or the new one, never half of either; a disk that fills up costs only the new one.
    A missing parent folder is made.

    Args:
        path: the file.
        durable: wait until the disk has it, so that it outlasts a power cut as well as a kill. Tens of milliseconds
            on a busy disk, so that whoever writes thousands of files may rather look at their sizes later.

    Raises:
        OSError: it could not be written; names `path` also where the system's own error names the one aside, or none.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "a.txt") as aside:
    ...     _ = aside.write_text("whole")
    >>> [file.name for file in folder.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _beside(path)
    with _naming(path, aside):
        try:
            yield aside
            if durable:
                # Opened for writing too: Windows flushes no file that is open for reading alone.
                with open(aside, "r+b") as file:
                    os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder beside `path` to fill; renamed to `path` when the block ends well, removed when it fails.

    A folder that was there stays until then, and is removed. Its files are not flushed one by one: there may be
    thousands, and a kill leaves none half anyway. No system swaps two folders in one step: a kill between the renaming
    of the old one and that of the new one leaves neither under `path`, but both whole beside it, as `leftovers` finds
    them; that with the later time of change is the new one.

    Raises:
        OSError: it could not be written; names `path` also where the system's own error names what lies aside, or
            nothing.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing_folder(folder / "a") as aside:
    ...     _ = (aside / "b.txt").write_text("whole")
    >>> [str(file.relative_to(folder)) for file in folder.rglob("*.txt")], leftovers(folder / "a")
    (['a/b.txt'], [])
    """
    path = Path(path)
    aside, old = _beside(path), _beside(path)
    with _naming(path, aside, old):
        aside.mkdir(parents=True)
        try:
            yield aside
            if path.exists():
                os.replace(path, old)
            os.replace(aside, path)
        finally:
            if old.exists() and not path.exists():
                os.replace(old, path)
            for each in (aside, old):
                shutil.rmtree(each, ignore_errors=True)


@contextmanager
def _naming(path: Path, *asides: Path) -> Iterator[None]:
    """Let the system's errors name `path` where they name nothing, or what lies aside, which is gone when they come."""
    try:
        yield
    except OSError as error:
        named = None if error.filename is None else Path(str(error.filename))
        if error.errno is not None and (named is None or any(named.is_relative_to(aside) for aside in asides)):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")


def leftovers(path: str | os.PathLike[str]) -> list[Path]:
    """What killed processes left of their attempts to write `path`."""
    path = Path(path)
    return sorted(path.parent.glob(f".{path.name}.*.part"))
