"""A data set of the registry, from its servers to a folder in its native layout.

Everything unfinished is kept in a hidden folder inside the target: parts, archives, unpacked files. Complete files are
moved out of it, and SOURCE.md is written last. After a kill at any moment, the same call resumes.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cellseg_monai.archives import Limits, Unpacked, is_archive, unpack
from cellseg_monai.datasets.fetching.download import download
from cellseg_monai.datasets.fetching.provenance import (
    CHECKSUMS_NAME,
    FetchedFile,
    fetched_name,
    read_checksums,
    write_checksums,
    write_source,
)
from cellseg_monai.datasets.registry import DataSet, RemoteFile
from cellseg_monai.errors import ArchiveError, ArchiveTooLargeError, FetchError
from cellseg_monai.lock import only_one

__all__ = ["Fetched", "default_folder", "fetch_data_set"]


@dataclass(frozen=True)
class Fetched:
    """A data set on disk.

    Args:
        data_set: entry of the data set in the registry.
        folder: folder of the data set.
        files: files fetched by this call, or by the earlier calls that it resumed; empty if nothing was missing.
    """

    data_set: DataSet
    folder: Path
    files: tuple[FetchedFile, ...]

    @property
    def layout_folder(self) -> Path:
        """The folder in which the native layout begins."""
        return self.folder / self.data_set.folder


def default_folder(data_set: DataSet) -> Path:
    """Return the default folder for a data set: `data/raw/<name>`, with `_` for `/`."""
    return Path("data") / "raw" / data_set.name.replace("/", "_")


def fetch_data_set(
    data_set: DataSet,
    folder: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    limits: Limits | None = None,
    accept_changed: bool = False,
    progress: bool = False,
) -> Fetched:
    """Fetch a data set: download, check, unpack and record its origin. If it exists already, nothing is done.

    Args:
        data_set: the data set to fetch.
        folder: target folder, `default_folder` if not given. It is new, empty, or left by an earlier attempt.
        url: source to use instead of the registry's: the address or path of the one file, or of a folder that contains
            all files by their names (the address of a folder ends in /).
        limits: limits for the content of each archive.
        accept_changed: True to take files whose size or checksum differs from the known one, and record theirs.
        progress: True to show a progress bar on a terminal.

    Raises:
        FetchError: a file could not be downloaded completely, see `download`; or there is no space to unpack it.
        ArchiveError: a file is not an archive, or an unsafe one. If it was downloaded, it is deleted.
        ArchiveTooLargeError: an archive contains more than the limits allow. It is kept.
        FileExistsError: the folder contains something else, or another call is fetching to it.
        FileNotFoundError: a file is missing from a local source.
        ValueError: the source is one file, but the data set has several.
    """
    folder = Path(folder) if folder is not None else default_folder(data_set)
    if fetched_name(folder) == data_set.name:
        return Fetched(data_set, folder, ())
    work = folder / f".fetch-{data_set.name.replace('/', '_')}"
    lock = work.with_name(f"{work.name}.lock")
    _check_folder(folder, work, lock)
    sources = _sources(data_set, url)
    with only_one(lock, "cellseg data fetch"):
        if fetched_name(folder) == data_set.name:  # another call has just finished
            return Fetched(data_set, folder, ())
        work.mkdir(exist_ok=True)
        fetching = _Fetching(data_set, folder, work, limits or Limits(), accept_changed, progress)
        try:
            files = tuple(fetching.stage(file, source) for file, source in sources)
            for file in data_set.files:
                _merge(work / "unpacked" / file.name, folder)
            write_source(folder, data_set, files)
            shutil.rmtree(work)
        finally:
            if not any(path.is_file() for path in work.rglob("*")):  # nothing to resume from
                shutil.rmtree(work, ignore_errors=True)
    return Fetched(data_set, folder, files)


def _check_folder(folder: Path, work: Path, lock: Path) -> None:
    """Refuse a folder that contains anything but an earlier attempt."""
    foreign = {path.name for path in folder.iterdir()} - {CHECKSUMS_NAME, lock.name} if folder.is_dir() else set()
    if (folder.exists() and not folder.is_dir()) or (foreign and not work.is_dir()):
        name = fetched_name(folder)
        content = f"contains {name}" if name else "already there, and not empty"
        raise FileExistsError(f"{folder}: {content}; pass --output with another folder, or delete this one")


@dataclass(frozen=True)
class _Fetching:
    """One call of `fetch_data_set`."""

    data_set: DataSet
    folder: Path
    work: Path
    limits: Limits
    accept_changed: bool
    progress: bool

    def stage(self, file: RemoteFile, source: str | Path) -> FetchedFile:
        """Fetch one file, and unpack it to `unpacked/<name>/` in the working folder."""
        staged = self.work / "unpacked" / file.name
        recorded = read_checksums(self.folder)
        expected = "" if self.accept_changed else file.sha256 or recorded.get(file.url, "")
        if staged.is_dir() and file.url in recorded:
            sha256 = recorded[file.url]
        else:
            shutil.rmtree(staged, ignore_errors=True)  # left by a call that was killed before it recorded the checksum
            archive, sha256 = self._obtain(file, source, expected)
            with _full_disk_explained(self.work, file.name):
                self._unpack(file, archive, staged, source)
            write_checksums(self.folder, {**recorded, file.url: sha256})
        if not isinstance(source, Path):
            (self.work / file.name).unlink(missing_ok=True)
        return FetchedFile(file.name, str(source), sha256, known=bool(file.sha256) and not self.accept_changed)

    def _obtain(self, file: RemoteFile, source: str | Path, expected: str) -> tuple[Path, str]:
        """The path of the file on this disk, downloaded if necessary, and its checksum, which has been verified."""
        if not isinstance(source, Path):
            path = self.work / file.name
            n_bytes = 0 if self.accept_changed else file.bytes
            page = self.data_set.page
            return path, download(source, path, sha256=expected, n_bytes=n_bytes, page=page, progress=self.progress)
        import pooch

        sha256 = pooch.file_hash(source)
        if expected and sha256 != expected:
            raise FetchError(
                f"{source}: got the SHA-256 {sha256}, expected {expected}; fetch the file again, or pass "
                "--accept_changed if it was replaced at its source"
            )
        return source, sha256

    def _unpack(self, file: RemoteFile, archive: Path, staged: Path, source: str | Path) -> None:
        if not file.extract:
            aside = staged.with_name(f".{staged.name}.part")
            aside.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(archive, aside / file.name)
            os.rename(aside, staged)
            return
        try:
            unpacked = unpack(archive, staged, self.limits)
            if file.nested:
                _unpack_nested(staged, self.limits, unpacked)
        except ArchiveError as error:
            shutil.rmtree(staged, ignore_errors=True)
            if isinstance(error, ArchiveTooLargeError) or isinstance(source, Path):
                raise
            archive.unlink(missing_ok=True)
            raise ArchiveError(
                f"{error}. It was downloaded from {source}, and deleted; look at {self.data_set.page}, or pass --url"
            ) from error


def _sources(data_set: DataSet, url: str | None) -> list[tuple[RemoteFile, str | Path]]:
    """Each file with its source: an address, or a path on this machine."""
    if url is None:
        return [(file, file.url) for file in data_set.files]
    scheme = urlsplit(url).scheme.lower()
    local = None if scheme in ("http", "https") else Path(unquote(urlsplit(url).path) if scheme == "file" else url)
    if local is None and url.endswith("/"):
        return [(file, url + quote(file.name)) for file in data_set.files]
    if local is not None and local.is_dir():
        missing = [file.name for file in data_set.files if not (local / file.name).is_file()]
        if missing:
            raise FileNotFoundError(f"{local}: no {', '.join(missing)}; add what is missing, by these names")
        return [(file, local / file.name) for file in data_set.files]
    if local is not None and not local.is_file():
        raise FileNotFoundError(
            f"{local}: no such file or folder; pass --url with one, or with an address that begins with http"
        )
    if len(data_set.files) > 1:
        names = ", ".join(file.name for file in data_set.files)
        raise ValueError(
            f"{url}: got one file, expected {len(data_set.files)}; pass the folder that contains {names}, or an "
            "address that ends in /"
        )
    return [(data_set.files[0], url if local is None else local)]


def _unpack_nested(folder: Path, limits: Limits, unpacked: Unpacked) -> None:
    """Unpack the archives in a folder, each into a folder of its own name, and delete them."""
    for archive in sorted(path for path in folder.rglob("*") if path.is_file() and _looks_like_archive(path)):
        gigabytes = max(limits.gigabytes - unpacked.bytes / 1e9, 1e-9)
        remaining = Limits(gigabytes, max(limits.files - unpacked.files, 1), limits.ratio)
        stem = archive.with_suffix("").name.removesuffix(".tar")
        aside = archive.with_name(f".{archive.name}.unpacked")
        content = unpack(archive, aside, remaining)
        unpacked = Unpacked(unpacked.files + content.files, unpacked.bytes + content.bytes)
        archive.unlink()
        entries = list(aside.iterdir())
        is_wrapped = len(entries) == 1 and entries[0].is_dir() and entries[0].name == stem
        target = archive.with_name(stem)
        target.mkdir(exist_ok=True)
        _merge(entries[0] if is_wrapped else aside, target)
        shutil.rmtree(aside)


def _looks_like_archive(path: Path) -> bool:
    return path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2") and is_archive(path)


def _merge(source: Path, target: Path) -> None:
    """Move the content of one folder into another; folders of the same name are merged."""
    for entry in sorted(source.iterdir()):
        destination = target / entry.name
        if entry.is_dir() and destination.is_dir():
            _merge(entry, destination)
        elif destination.exists():
            raise FetchError(f"{destination}: is in two archives, so it is ambiguous; remove it from one of them")
        else:
            os.rename(entry, destination)


@contextmanager
def _full_disk_explained(folder: Path, name: str) -> Iterator[None]:
    """Turn the error of a disk that is full during unpacking into one that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise FetchError(
            f"{folder}: {error.strerror} while {name} was unpacked; free some space, or pass --output on another disk. "
            "The archive is kept, and the same command resumes"
        ) from error
