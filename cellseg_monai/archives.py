"""Safe unpacking of archives from untrusted sources.

`extractall` is never used: the path and kind of each member are checked, and its bytes are counted while they are
written, because the sizes that an archive states can be wrong. Python's own extraction filter checks paths and kinds
for tar only, and not in every Python version that this package supports.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cellseg_monai.errors import ArchiveError, ArchiveTooLargeError

__all__ = ["Limits", "Unpacked", "is_archive", "unpack"]

_BLOCK = 2**20

_RATIO_MATTERS_FROM = 100 * 10**6
"""Unpacked bytes below which the ratio is not checked: a few blank masks legitimately compress a thousandfold."""

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    UnicodeError,  # names in no encoding
)


@dataclass(frozen=True)
class Limits:
    """Limits for the content of an archive. The defaults are several times what the largest registered set needs.

    Args:
        gigabytes: total size of all unpacked files in GB.
        files: number of files and folders.
        ratio: unpacked bytes per byte of the archive. Label images are mostly background, so a ratio of 10 is common
            and 100 occurs; malicious archives begin at about 1,000.
    """

    gigabytes: float = 100
    files: int = 500_000
    ratio: float = 300

    def __post_init__(self) -> None:
        if min(self.gigabytes, self.files, self.ratio) <= 0:
            raise ValueError(f"got {self}, expected numbers above 0")


@dataclass(frozen=True)
class Unpacked:
    """The numbers of files and bytes that were unpacked."""

    files: int
    bytes: int


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Return True if the content of a file is a zip or a tar, compressed or not."""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except _BROKEN:  # even the first block of a compressed tar is broken
        return False


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: Limits | None = None) -> Unpacked:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz into a new folder, which appears when it is complete.

    Only files and folders are written, with the permissions of new files. The folder `__MACOSX`, which macOS adds, is
    left out. After an error nothing remains.

    Args:
        archive: the archive; its kind is judged by its content, not its name.
        folder: the folder to make.
        limits: limits for its content; `Limits()` by default.

    Returns:
        The numbers of files and bytes that were unpacked.

    Raises:
        ArchiveError: the file is not an archive, is broken or encrypted, or has a member that is a link or a device,
            leads out of the folder, or occurs twice.
        ArchiveTooLargeError: the archive contains more than the limits allow.
        FileExistsError: the folder exists already.
        OSError: a file cannot be read or written, for example because the disk is full.
    """
    archive, folder, limits = Path(archive), Path(folder), limits or Limits()
    if folder.exists():
        raise FileExistsError(f"{folder}: already there; choose another folder, or delete this one")
    if not is_archive(archive):
        raise ArchiveError(f"{archive}: got {_kind_of_file(archive)}, expected a zip or tar archive; fetch it again")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    aside.mkdir()
    try:
        writer = _Writer(archive, aside, limits)
        with _errors_translated(archive):
            members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
            for member in members:
                writer.write(member)
        os.rename(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Unpacked(writer.n_files, writer.n_bytes)


@dataclass(frozen=True)
class _Member:
    """A member of a zip or tar; `content` is None for a folder."""

    name: str
    content: IO[bytes] | None


class _Writer:
    """Writes members into a folder, and counts files and bytes."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.packed_bytes = archive.stat().st_size
        self.n_files = self.n_bytes = self.n_members = 0

    def write(self, member: _Member) -> None:
        """Write one member, unless it is unsafe or exceeds the limits."""
        self.n_members += 1
        if self.n_members > self.limits.files:
            raise self._too_large(f"more than {self.limits.files:,} files", "--max_files")
        parts = _safe_parts(member.name, self.archive)
        if not parts or parts[0] == "__MACOSX":
            return
        target = self.folder.joinpath(*parts)
        try:
            if member.content is None:
                target.mkdir(parents=True, exist_ok=True)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        except (FileExistsError, NotADirectoryError) as error:
            raise _refused(self.archive, member.name, "occurs twice, or is both a file and a folder") from error
        with open(target, "wb") as file:
            while block := member.content.read(_BLOCK):
                self._count(len(block))
                file.write(block)
        self.n_files += 1

    def _count(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        if self.n_bytes > self.limits.gigabytes * 10**9:
            raise self._too_large(f"more than {self.limits.gigabytes:g} GB", "--max_gigabytes")
        if self.n_bytes > max(_RATIO_MATTERS_FROM, self.limits.ratio * self.packed_bytes):
            raise self._too_large(f"more than {self.limits.ratio:g} bytes for each packed byte", "--max_ratio")

    def _too_large(self, content: str, flag: str) -> ArchiveTooLargeError:
        return ArchiveTooLargeError(
            f"{self.archive}: contains {content}, like an archive made to fill a disk; if you trust it, raise "
            f"the limit ({flag})"
        )


def _safe_parts(name: str, archive: Path) -> list[str]:
    """The parts of a member's path; empty for the folder itself."""
    if "\0" in name or len(name) > 4096:
        raise _refused(archive, name, "has an invalid name")
    slashed = name.replace("\\", "/")  # as on Windows
    if slashed.startswith("/") or re.match("[A-Za-z]:", slashed):
        raise _refused(archive, name, "has an absolute path")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(archive, name, "leads out of the target folder")
    return parts


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, info.filename, "is a link or a device")
            if info.flag_bits & 1:
                raise _refused(archive, info.filename, "is encrypted")
            if info.is_dir() or kind == stat.S_IFDIR:
                yield _Member(info.filename, None)
            else:
                with opened.open(info) as content:
                    yield _Member(info.filename, content)


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if not (info.isreg() or info.isdir()):
                raise _refused(archive, info.name, "is a link or a device")
            yield _Member(info.name, opened.extractfile(info) if info.isreg() else None)


@contextmanager
def _errors_translated(archive: Path) -> Iterator[None]:
    """Turn the various errors of the libraries for broken archives into one that names the archive."""
    try:
        yield
    except (*_BROKEN, OSError) as error:
        # bzip2, and seeking to where a broken archive points, raise OSError without a number or with EINVAL. Errors of
        # the disk have other numbers.
        if isinstance(error, OSError) and not isinstance(error, _BROKEN) and error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(
            f"{archive}: a broken archive ({str(error) or type(error).__name__}); fetch it again"
        ) from error


def _refused(archive: Path, member: str, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{archive}: {member[:200]!r} {reason}; nothing was unpacked, as only files and folders inside the target are "
        "allowed. Do not trust this archive"
    )


def _kind_of_file(path: Path) -> str:
    """The kind of a file that is not an archive, for a message."""
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if re.match(rb"\s*(<!doctype html|<html|<\?xml)", start, re.IGNORECASE):
        return "a web page"
    return f"a file that begins with {start[:16]!r}"
