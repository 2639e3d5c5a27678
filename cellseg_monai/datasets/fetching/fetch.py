"""Fetching registered data sets: downloading, checking and unpacking them into a folder with the native layout.

Partial downloads, archives and unpacked files stay in a hidden folder inside the target. Once every file is complete,
the unpacked files are moved to the target, and SOURCE.md is written last. If a call is killed, the next call resumes
where it stopped.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cellseg_monai.archives import Limits, Unpacked, is_archive, unpack
from cellseg_monai.atomic import leftovers
from cellseg_monai.datasets.fetching.download import download
from cellseg_monai.datasets.fetching.provenance import (
    CHECKSUMS_NAME,
    SOURCE_NAME,
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
    """A fetched data set on disk.

    Args:
        data_set: registry entry of the data set.
        folder: folder that contains the data set.
        files: files fetched by this call and by any interrupted calls that it resumed. Empty if the data set was
            already there.
    """

    data_set: DataSet
    folder: Path
    files: tuple[FetchedFile, ...]

    @property
    def layout_folder(self) -> Path:
        """The root folder of the native layout."""
        return self.folder / self.data_set.folder


def default_folder(data_set: DataSet) -> Path:
    """Return the default folder for a data set: `data/raw/<name>`, with any `/` in the name replaced by `_`."""
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
    """Download, check and unpack a data set, and record its origin. Do nothing if the data set is already there.

    Args:
        data_set: the data set to fetch.
        folder: target folder; by default, `default_folder(data_set)`. It must be new, empty, or left by an interrupted
            call.
        url: source to use instead of the URLs in the registry: a folder that contains all files under their registry
            names or, if the data set has only one file, that file. Give a URL or a path; the URL of a folder must end
            in /.
        limits: limits on the unpacked content of each archive.
        accept_changed: True to accept files whose size or checksum has changed, and record the new checksum.
        progress: True to show a progress bar on a terminal.

    Raises:
        FetchError: a file cannot be downloaded (see `download`), has the wrong checksum or is in two archives, or
            there is no space to unpack it.
        ArchiveError: a file is not an archive, or is unsafe to unpack. A downloaded file is deleted.
        ArchiveTooLargeError: the content of an archive exceeds the limits. The archive is kept.
        FileExistsError: the folder contains something else, or another call is fetching into it.
        FileNotFoundError: a local source does not exist, or one of the files is missing from it.
        ValueError: the source is a single file, but the data set has several.
    """
    folder = Path(folder) if folder is not None else default_folder(data_set)
    work = folder / f".fetch-{data_set.name.replace('/', '_')}"
    lock = work.with_name(f"{work.name}.lock")
    if fetched_name(folder) == data_set.name:
        if work.is_dir() and not work.is_symlink():  # left by a call that was killed while it cleaned up
            with suppress(FileExistsError), only_one(lock, "cellseg data fetch"):
                _clear(folder, work)
                shutil.rmtree(work, ignore_errors=True)
        return Fetched(data_set, folder, ())
    _check_folder(folder, work, lock)
    sources = _sources(data_set, url)
    with only_one(lock, "cellseg data fetch"):
        if fetched_name(folder) == data_set.name:  # another call finished just before this one took the lock
            return Fetched(data_set, folder, ())
        work.mkdir(exist_ok=True)
        _clear(folder, work, *(file.name for file in data_set.files))
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


def _clear(folder: Path, work: Path, *names: str) -> None:
    """Remove what a killed call has left half-written, and keep what can be resumed: parts of the named files."""
    for path in (folder / SOURCE_NAME, folder / CHECKSUMS_NAME):
        for left in leftovers(path):
            left.unlink(missing_ok=True)
    kept = {"unpacked"} | {Path(f"{name}{ending}").parts[0] for name in names for ending in ("", ".part", ".part.json")}
    for left in [path for path in work.glob("*") if path.name not in kept] + list((work / "unpacked").glob(".*.part")):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _check_folder(folder: Path, work: Path, lock: Path) -> None:
    """Raise FileExistsError if a folder contains anything but the remains of an interrupted call."""
    foreign = {path.name for path in folder.iterdir()} - {CHECKSUMS_NAME, lock.name} if folder.is_dir() else set()
    if (folder.exists() and not folder.is_dir()) or (foreign and not work.is_dir()) or work.is_symlink():
        name = fetched_name(folder)
        content = f"already contains {name}" if name else "already exists, and is not an empty folder"
        raise FileExistsError(f"{folder}: {content}; pass another folder with --output, or delete this one")


@dataclass(frozen=True)
class _Fetching:
    """The settings of one call to `fetch_data_set`."""

    data_set: DataSet
    folder: Path
    work: Path
    limits: Limits
    accept_changed: bool
    progress: bool

    def stage(self, file: RemoteFile, source: str | Path) -> FetchedFile:
        """Fetch one file, and unpack it into `unpacked/<name>/` in the working folder."""
        staged = self.work / "unpacked" / file.name
        recorded = read_checksums(self.folder)
        expected = "" if self.accept_changed else file.sha256 or recorded.get(file.url, "")
        if staged.is_dir() and file.url in recorded:
            sha256 = recorded[file.url]
        else:
            shutil.rmtree(staged, ignore_errors=True)  # left by a call killed before it recorded the checksum
            archive, sha256 = self._obtain(file, source, expected)
            with _full_disk_explained(self.work, file.name):
                self._unpack(file, archive, staged, source)
            write_checksums(self.folder, {**recorded, file.url: sha256})
        if not isinstance(source, Path):
            (self.work / file.name).unlink(missing_ok=True)
        return FetchedFile(file.name, str(source), sha256, known=bool(file.sha256) and not self.accept_changed)

    def _obtain(self, file: RemoteFile, source: str | Path, expected: str) -> tuple[Path, str]:
        """Return the local path of a file and its verified checksum, downloading the file if necessary."""
        if not isinstance(source, Path):
            path = self.work / file.name
            n_bytes = 0 if self.accept_changed else file.bytes
            page = self.data_set.page
            return path, download(source, path, sha256=expected, n_bytes=n_bytes, page=page, progress=self.progress)
        import pooch

        sha256 = pooch.file_hash(source)
        if expected and sha256 != expected:
            raise FetchError(
                f"{source}: got SHA-256 {sha256}, expected {expected}; download the file again, or pass "
                "--accept_changed if its publisher has replaced it"
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
                f"{error}. The file came from {source} and has been deleted; see {self.data_set.page} for another "
                "source, and pass it with --url"
            ) from error


def _sources(data_set: DataSet, url: str | None) -> list[tuple[RemoteFile, str | Path]]:
    """Return each file with its source: a URL, or a path on this machine."""
    if url is None:
        return [(file, file.url) for file in data_set.files]
    scheme = urlsplit(url).scheme.lower()
    local = None if scheme in ("http", "https") else Path(unquote(urlsplit(url).path) if scheme == "file" else url)
    if local is None and url.endswith("/"):
        return [(file, url + quote(file.name)) for file in data_set.files]
    if local is not None and local.is_dir():
        missing = [file.name for file in data_set.files if not (local / file.name).is_file()]
        if missing:
            raise FileNotFoundError(f"{local}: missing {', '.join(missing)}; add files with these names")
        return [(file, local / file.name) for file in data_set.files]
    if local is not None and not local.is_file():
        raise FileNotFoundError(
            f"{local}: no such file or folder; pass --url with an existing path, or with a URL that begins with http"
        )
    if len(data_set.files) > 1:
        names = ", ".join(file.name for file in data_set.files)
        raise ValueError(
            f"{url}: got one file, expected {len(data_set.files)}; pass a folder that contains {names} (the URL of a "
            "folder must end in /)"
        )
    return [(data_set.files[0], url if local is None else local)]


def _unpack_nested(folder: Path, limits: Limits, unpacked: Unpacked) -> None:
    """Unpack every archive inside a folder into a new folder named after the archive, and delete the archive."""
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
    """Move the content of one folder into another, merging folders of the same name."""
    for entry in sorted(source.iterdir()):
        destination = target / entry.name
        if entry.is_dir() and destination.is_dir():
            _merge(entry, destination)
        elif destination.exists():
            raise FetchError(f"{destination}: found in two archives, expected it in only one; remove one copy")
        else:
            os.rename(entry, destination)


@contextmanager
def _full_disk_explained(folder: Path, name: str) -> Iterator[None]:
    """Turn the OS error for a full disk during unpacking into a FetchError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise FetchError(
            f"{folder}: {error.strerror} while unpacking {name}; free up some space and run the same command again "
            "(the archive was kept), or choose an --output on another disk"
        ) from error
