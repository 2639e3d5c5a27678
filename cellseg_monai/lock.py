"""One process at a time in a folder that is being written.

The lock is that of the operating system, taken by `filelock`, because it ends with the process even if that is killed.
A file whose existence is the lock would survive a kill and keep everyone out, so filelock's fallback to such files is
off. The number of the process in the file is for the message only.

This module adds three things to filelock: the file is removed afterwards, an error says which process holds the lock,
and work continues where nothing can be locked.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["only_one"]

logger = logging.getLogger(__name__)

_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def only_one(path: Path, command: str) -> Iterator[None]:
    """Hold a lock on a file while the block runs, then remove the file, and an empty folder that was made for it.

    Where nothing can be written, there is nothing to protect, and the block runs without a lock. On a file system
    without locks it runs too, and a warning is logged.

    Args:
        path: the lock file, in the folder that is going to be written; missing folders are made.
        command: the command that takes this lock, such as `cellseg data prepare`, for the message to others.

    Raises:
        FileExistsError: another process, or another call in this one, holds the lock.
        PermissionError: the file belongs to another user, who may hold the lock, and the folder can be written.
    """
    is_new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False, fallback_to_soft=False, on_acquired=_write_holder)
    try:
        lock.acquire()
    except Timeout:
        raise FileExistsError(
            f"{path.parent}: another `{command}` is at work in it{_holder(path)}; wait until it is done, or stop it, "
            "then call again"
        ) from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            logger.warning("%s: the file system has no locks; make sure that nothing else writes there", path.parent)
            with suppress(OSError):
                path.unlink()
        elif error.errno not in _CANNOT_WRITE or (path.exists() and os.access(path.parent, os.W_OK)):
            raise
    try:
        yield
    finally:
        if lock.is_locked:
            # Others that have opened the file must find it gone as soon as they can lock it. Windows cannot delete an
            # open file; there, filelock does it afterwards.
            if sys.platform != "win32":
                with suppress(OSError):
                    path.unlink()
            lock.release()
        if is_new:
            with suppress(OSError):  # not empty
                path.parent.rmdir()


def _write_holder(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())


def _holder(path: Path) -> str:
    """The text of the holder for a message; empty if it cannot be read, as on Windows, where the lock forbids it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return f": {text}" if text else ""
