"""A lock that lets only one process at a time write to a folder.

`filelock` uses a lock from the operating system, which is released when the process ends, even if it is killed. If the
mere existence of a file were the lock, a killed process would leave the file behind and lock everyone out. Filelock's
fallback to files of that kind is therefore disabled. The process number in the file is used only in the error message.

This module adds three things to filelock. It removes the file afterwards, its error says which process holds the lock,
and it continues without a lock where locking is impossible.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import stat
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
    """Hold a lock on a file while the block runs, then remove the file.

    If the folder was created for the lock file and is still empty at the end, it is removed too. In a folder that is
    not writable, there is nothing to protect, so the block runs without a lock. On a file system that does not support
    locks, the block also runs, and a warning is logged.

    Args:
        path: the lock file, in the folder that the block writes to; missing folders are created.
        command: the command that holds this lock, such as `cellseg data prepare`; it is named in the error that other
            processes get.

    Raises:
        FileExistsError: another process, or another call in this process, holds the lock; or `path` is a file of
            another program.
        PermissionError: the folder is writable, but the lock file belongs to another user, who may hold the lock.
    """
    is_new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_lock(path)
    lock = FileLock(path, blocking=False, fallback_to_soft=False, on_acquired=_write_holder)
    try:
        lock.acquire()
    except Timeout:
        raise FileExistsError(
            f"{path.parent}: another `{command}` is writing to this folder{_holder(path)}; wait until it has finished, "
            "or stop it, and try again"
        ) from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            logger.warning(
                "%s: the file system does not support locks; make sure that no other process writes here", path.parent
            )
            with suppress(OSError):
                path.unlink()
        elif error.errno not in _CANNOT_WRITE or (path.exists() and os.access(path.parent, os.W_OK)):
            raise
    try:
        yield
    finally:
        if lock.is_locked:
            # Delete the file before releasing the lock, so that a process that has already opened the file finds it
            # gone once it gets the lock. Windows cannot delete an open file, so there filelock deletes it afterwards.
            if sys.platform != "win32":
                with suppress(OSError):
                    path.unlink()
            lock.release()
        if is_new:
            with suppress(OSError):  # the folder is not empty
                path.parent.rmdir()


def _check_lock(path: Path) -> None:
    """Refuse a file of another program, whose content would be replaced, and a link or a pipe."""
    try:
        is_ours = stat.S_ISREG(os.lstat(path).st_mode) and b"process ".startswith(path.read_bytes()[:8])
    except OSError:  # there is none, or it belongs to another user
        return
    if not is_ours:
        raise FileExistsError(f"{path} is not a lock of this program; move this file, or choose another folder")


def _write_holder(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())


def _holder(path: Path) -> str:
    """Describe the holder of the lock, for a message; empty if the file is unreadable, as it is on Windows."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return f": {text}" if text else ""
