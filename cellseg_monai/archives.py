"""Archives from strangers, unpacked without harm.

Nothing is left to `extractall`: each member is looked at, and its bytes are counted as they come, because sizes that an
archive states may be lies.
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
"""Bytes unpacked below which the ratio is not looked at: a few blank masks compress a thousandfold in all honesty."""

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
    """How much an archive may hold. The defaults are several times what the largest set of the registry needs.

    Args:
        gigabytes: of all files together, unpacked.
        files: files and folders.
        ratio: bytes unpacked for each byte of the archive. Label images are mostly background, so tenfold is usual and
            a hundredfold happens; bombs begin at a thousand.
    """

    gigabytes: float = 100
    files: int = 500_000
    ratio: float = 300

    def __post_init__(self) -> None:
        if min(self.gigabytes, self.files, self.ratio) <= 0:
            raise ValueError(f"{self}: expected numbers above 0")


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive: files, and their bytes."""

    files: int
    bytes: int


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Is it a zip or a tar, compressed or not, by its content?"""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except _BROKEN:  # the first block of a compressed tar is broken already
        return False


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: Limits | None = None) -> Unpacked:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz into a new folder, which appears when all of it is there.

    Files and folders alone are written, with the permissions of new files. What macOS adds (`__MACOSX`) is left out.

    Args:
        archive: the file; what it is, its content tells, not its name.
        folder: the folder to make.
        limits: how much it may hold.

    Returns:
        How much it was.

    Raises:
        ArchiveError: no such archive, a broken or encrypted one, or one with a member that is a link or a device, leads
            out of the folder, or comes twice. Nothing of it is left.
        ArchiveTooLargeError: it holds more than the limits allow. Nothing of it is left.
        FileExistsError: the folder is there already.
        OSError: it cannot be read or written, such as on a disk that is full. Nothing of it is left.
    """
    archive, folder, limits = Path(archive), Path(folder), limits or Limits()
    if folder.exists():
        raise FileExistsError(f"{folder}: already there; choose another folder, or delete this one")
    if not is_archive(archive):
        raise ArchiveError(f"{archive}: {_beginning(archive)} came where a zip or tar archive was expected")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    aside.mkdir()
    try:
        writer = _Writer(archive, aside, limits)
        with _broken_named(archive):
            members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
            for member in members:
                writer.write(member)
        os.rename(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Unpacked(writer.n_files, writer.n_bytes)


@dataclass(frozen=True)
class _Member:
    """A member of an archive of either kind; `content` is None for a folder."""

    name: str
    content: IO[bytes] | None


class _Writer:
    """Writes members below a folder and keeps count."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.packed_bytes = archive.stat().st_size
        self.n_files = self.n_bytes = self.n_members = 0

    def write(self, member: _Member) -> None:
        """Write one member, if it may be written."""
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
            raise _refused(self.archive, member.name, "comes twice, or is both a file and a folder") from error
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
            raise self._too_large(f"more than {self.limits.ratio:g} bytes for each of its own", "--max_ratio")

    def _too_large(self, what: str, flag: str) -> ArchiveTooLargeError:
        return ArchiveTooLargeError(
            f"{self.archive}: holds {what}, as archives made to fill a disk do; if you trust it, raise the limit "
            f"({flag})"
        )


def _safe_parts(name: str, archive: Path) -> list[str]:
    """The parts of a member's path; none for the folder itself."""
    if "\0" in name or len(name) > 4096:
        raise _refused(archive, name, "has a name that no file can have")
    slashed = name.replace("\\", "/")  # as Windows takes it
    if slashed.startswith("/") or re.match("[A-Za-z]:", slashed):
        raise _refused(archive, name, "has an absolute path")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(archive, name, "leads out of the folder that it is unpacked to")
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
def _broken_named(archive: Path) -> Iterator[None]:
    """What the libraries raise of broken archives, as one error that names the archive."""
    try:
        yield
    except (*_BROKEN, OSError) as error:
        # Of bzip2, and of seeking where a broken archive points; what the disk has against it has another number.
        if isinstance(error, OSError) and not isinstance(error, _BROKEN) and error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(
            f"{archive}: a broken archive ({str(error) or type(error).__name__}); fetch it again"
        ) from error


def _refused(archive: Path, member: str, why: str) -> ArchiveError:
    return ArchiveError(
        f"{archive}: {member[:200]!r} {why}; nothing was unpacked, files and folders within it alone are. "
        "Do not trust this archive"
    )


def _beginning(path: Path) -> str:
    """What a file is that is no archive, for a message."""
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if re.match(rb"\s*(<!doctype html|<html|<\?xml)", start, re.IGNORECASE):
        return "a web page"
    return f"a file that begins with {start[:16]!r}"
