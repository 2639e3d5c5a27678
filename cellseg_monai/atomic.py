"""Files and folders that are either complete or absent."""

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
    """Yield a temporary path next to `path`, which is renamed to `path` at the end, or removed if the block fails.

    Readers see either the old file or the new one, never a partial file. If the disk fills up, only the new file is
    lost. Missing parent folders are created.

    Args:
        path: the file to write.
        durable: True to wait until the file is on disk, so that it survives a power cut and not just a killed process.
            This takes tens of milliseconds on a busy disk. When writing thousands of files, pass False and check their
            sizes later instead.

    Raises:
        OSError: the file cannot be written. The error names `path`, even if the original error names the temporary
            file or no file at all.

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
                # Open for reading and writing, because Windows cannot flush a file that is open only for reading.
                with open(aside, "r+b") as file:
                    os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, which is renamed to `path` at the end, or removed if the block fails.

    An existing folder stays in place until the end, when the new one replaces it. Files are not flushed to disk one by
    one, because there may be thousands. Even so, a killed process never leaves incomplete files in `path`.

    Portable code cannot swap two folders in one step. If the process is killed between renaming the old folder and the
    new one, `path` does not exist, but both folders are next to it and complete. `leftovers` finds them; the one that
    was modified later is the new one.

    Args:
        path: the folder to write.

    Raises:
        OSError: the folder cannot be written. The error names `path`, even if the original error names a temporary
            path or no path at all.

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
            for folder in (aside, old):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _naming(path: Path, *asides: Path) -> Iterator[None]:
    """Make OS errors name `path` if they name no file, or a temporary path that no longer exists."""
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
    """Return the temporary files and folders left by processes that were killed while writing `path`."""
    path = Path(path)
    return sorted(path.parent.glob(f".{path.name}.*.part"))
