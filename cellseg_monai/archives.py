"""Safe unpacking of archives from untrusted sources.

`extractall` is never used. The path and type of each member are checked, and its bytes are counted as they are written,
because an archive can misstate its sizes. Python's own extraction filter checks paths and types only for tar files, and
some Python versions that this package supports do not have it.
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
from typing import IO, Any

from cellseg_monai.errors import ArchiveError, ArchiveTooLargeError

__all__ = ["Limits", "Unpacked", "is_archive", "unpack"]

_BLOCK = 2**20

_RATIO_MATTERS_FROM = 100 * 10**6
"""Unpacked size in bytes below which the ratio is not checked, as a few blank masks can compress a thousandfold."""

_LARGEST_HEADER = 2**20

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression method that zipfile does not support
    UnicodeError,  # a member name that cannot be decoded
    RecursionError,  # a header that refers to the next thousands of times
)


@dataclass(frozen=True)
class Limits:
    """Limits on the contents of an archive; the defaults are several times what the largest registered data set needs.

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
            raise ValueError(f"got {self}, expected positive numbers; choose larger limits")


@dataclass(frozen=True)
class Unpacked:
    """The number of files and bytes that `unpack` wrote."""

    files: int
    bytes: int


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Return True if a file contains a zip or tar archive, compressed or not, whatever its name."""
    try:
        if zipfile.is_zipfile(path):
            return True
        with tarfile.open(path, tarinfo=_TarInfo):
            return True
    except ArchiveError:  # a tar that `unpack` refuses
        return True
    except _BROKEN:  # another kind of file, or a compressed tar that is broken from its first block
        return False


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: Limits | None = None) -> Unpacked:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz into a new folder, which appears only once it is complete.

    Only files and folders are written, with the default permissions for new files. The folder `__MACOSX`, which macOS
    adds, is skipped. If anything fails, nothing is left behind.

    Args:
        archive: the archive; its type is detected from its content, not its name.
        folder: the folder to create.
        limits: limits on the contents; `Limits()` by default.

    Returns:
        The number of files and bytes written.

    Raises:
        ArchiveError: the file is not an archive, or is broken or encrypted; or a member is a link or a device, has a
            path outside the folder, or occurs twice.
        ArchiveTooLargeError: the contents exceed the limits.
        FileExistsError: the folder already exists.
        OSError: a file cannot be read or written, for example because the disk is full.
    """
    archive, folder, limits = Path(archive), Path(folder), limits or Limits()
    if folder.exists():
        raise FileExistsError(f"{folder}: already exists; choose another folder, or delete this one")
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
    """A member of a zip or tar archive; `content` is None for a folder."""

    name: str
    content: IO[bytes] | None


class _Writer:
    """A writer that unpacks archive members into a folder and counts the files and bytes written."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.packed_bytes = archive.stat().st_size
        self.n_files = self.n_bytes = self.n_members = 0

    def write(self, member: _Member) -> None:
        """Write one member, or raise an ArchiveError if it is unsafe or exceeds the limits."""
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
            raise self._too_large(f"more than {self.limits.ratio:g} unpacked bytes per packed byte", "--max_ratio")

    def _too_large(self, content: str, flag: str) -> ArchiveTooLargeError:
        return ArchiveTooLargeError(
            f"{self.archive}: contains {content}, like an archive made to fill up the disk; if you trust it, "
            f"raise the limit ({flag})"
        )


def _safe_parts(name: str, archive: Path) -> list[str]:
    """Return the parts of a member's path; the list is empty for the target folder itself."""
    if "\0" in name or len(name) > 4096:
        raise _refused(archive, name, "has an invalid name")
    slashed = name.replace("\\", "/")  # both are separators on Windows
    if slashed.startswith("/") or re.match("[A-Za-z]:", slashed):
        raise _refused(archive, name, "has an absolute path")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refused(archive, name, "has a path outside the target folder")
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
    with tarfile.open(archive, tarinfo=_TarInfo) as opened:
        for info in opened:
            if not (info.isreg() or info.isdir()):
                raise _refused(archive, info.name, "is a link or a device")
            yield _Member(info.name, opened.extractfile(info) if info.isreg() else None)


class _TarInfo(tarfile.TarInfo):
    """The header of a member, which is refused if it is huge.

    A header can hold long names, records and the map of a sparse file, which Python reads into memory.
    """

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _TarInfo:
        """Return the next header in an archive, of which one can refer to the next."""
        file = tarfile.fileobj
        if isinstance(file, _HeaderReader):
            return super().fromtarfile(tarfile)
        tarfile.fileobj = _HeaderReader(file, Path(str(tarfile.name)))
        try:
            return super().fromtarfile(tarfile)
        finally:
            tarfile.fileobj = file


class _HeaderReader:
    """A file of which only a header can be read."""

    def __init__(self, file: Any, archive: Path) -> None:
        self._file, self._archive, self._left = file, archive, _LARGEST_HEADER

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        self._left -= size
        if self._left < 0:
            raise _refused(self._archive, "a member", f"has a header of more than {_LARGEST_HEADER:,} bytes")
        content: bytes = self._file.read(size)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def _errors_translated(archive: Path) -> Iterator[None]:
    """Turn the various errors that libraries raise for broken archives into an ArchiveError that names the archive."""
    try:
        yield
    except (*_BROKEN, OSError) as error:
        # bzip2 raises OSError without an errno or with EINVAL, as does seeking to an offset from a broken archive. Disk
        # errors have other error numbers.
        if isinstance(error, OSError) and not isinstance(error, _BROKEN) and error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(
            f"{archive}: the archive is broken ({str(error) or type(error).__name__}); fetch it again"
        ) from error


def _refused(archive: Path, member: str, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{archive}: {member[:200]!r} {reason}, so nothing was unpacked; do not trust this archive, and get another "
        "copy from its publisher"
    )


def _kind_of_file(path: Path) -> str:
    """Describe a file that is not an archive, for an error message."""
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if re.match(rb"\s*(<!doctype html|<html|<\?xml)", start, re.IGNORECASE):
        return "a web page"
    return f"a file that begins with {start[:16]!r}"
