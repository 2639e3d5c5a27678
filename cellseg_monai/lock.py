"""One process at a time in a folder that is being written."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["only_one"]

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def only_one(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock on a file while the block runs; afterwards the file is gone, and so is an empty folder made for it.

    The system holds the lock for the process, and ends it with the process, however that ends: nobody is kept out by a
    run that was killed, nor by a process number that another program has got since. Where nothing can be written there
    is nothing to be kept apart, and a file system that knows no locks is taken as it is.

    Args:
        path: the file, in the folder that is to be written; missing folders are made.
        doing: what the other one is, for the message, such as `cellseg data prepare`.

    Raises:
        FileExistsError: another process, or another call in this one, holds it.
        PermissionError: the file is there and another user's, who may hold it, and the folder can be written.
    """
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    can_write = True
    try:
        descriptor = _locked(path)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE or (path.exists() and os.access(path.parent, os.W_OK)):
            raise
        can_write = False
    if not can_write:  # not in the handler, so that errors of the block are not chained to this one
        yield
        return
    if descriptor is None:
        raise FileExistsError(
            f"{path.parent}: another `{doing}` is at work in it; wait until it is done, or stop it, then call again"
        )
    try:
        yield
    finally:
        # Windows deletes no file that is open; elsewhere, who opens the file before it is closed must find it gone.
        if sys.platform == "win32":
            os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        if sys.platform != "win32":
            os.close(descriptor)
        if made:
            with suppress(OSError):  # it holds something by now
                path.parent.rmdir()


def _locked(path: Path) -> int | None:
    """The descriptor of the file, locked; None if another one holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _try_lock(descriptor):
                os.close(descriptor)
                return None
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the one before deleted it in between


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
