"""A data set of the registry, from its servers to a folder in its native layout.

All that is unfinished lies in a hidden folder within: parts, archives, what was unpacked. What is whole is moved out of
it, and SOURCE.md is written last. Killed at any moment, the same call goes on.
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
        data_set: its entry in the registry.
        folder: where it lies.
        files: what was fetched, in this call or in earlier ones that it went on from; none if it was all there.
    """

    data_set: DataSet
    folder: Path
    files: tuple[FetchedFile, ...]

    @property
    def layout_folder(self) -> Path:
        """Where the native layout begins."""
        return self.folder / self.data_set.folder


def default_folder(data_set: DataSet) -> Path:
    """Where a data set is fetched to if nothing else is said: `data/raw/<name>`, with `_` for `/`."""
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
    """Fetch a data set: download, check, unpack, and note where it came from. If it is there, nothing is done.

    Args:
        data_set: which.
        folder: where to; `default_folder` if not given. It is made, or is an empty one, or one of an earlier attempt.
        url: another source than that of the registry: the address or path of the one file, or of a folder that holds
            all of them by their names (an address of a folder ends in /).
        limits: of what each archive may hold.
        accept_changed: take files of another size or checksum than the known ones, and record theirs.
        progress: show a bar on a terminal.

    Returns:
        What is where.

    Raises:
        FetchError: a file did not come whole, see `download`; or there is no room to unpack it.
        ArchiveError: an archive is none, or would do harm. A downloaded one is deleted.
        ArchiveTooLargeError: an archive holds more than the limits allow. It is kept.
        FileExistsError: the folder holds something else, or another call is fetching to it.
        FileNotFoundError: a local source lacks a file.
        ValueError: a source of one file for a data set of several.
    """
    folder = Path(folder) if folder is not None else default_folder(data_set)
    if fetched_name(folder) == data_set.name:
        return Fetched(data_set, folder, ())
    work = folder / f".fetch-{data_set.name.replace('/', '_')}"
    lock = work.with_name(f"{work.name}.lock")
    _check_folder(folder, work, lock)
    sources = _sources(data_set, url)
    with only_one(lock, "cellseg data fetch"):
        if fetched_name(folder) == data_set.name:  # by another call, just now
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
            if not any(each.is_file() for each in work.rglob("*")):  # nothing came, so nothing is left
                shutil.rmtree(work, ignore_errors=True)
    return Fetched(data_set, folder, files)


def _check_folder(folder: Path, work: Path, lock: Path) -> None:
    """Refuse a folder that holds something else than an earlier attempt."""
    strangers = {each.name for each in folder.iterdir()} - {CHECKSUMS_NAME, lock.name} if folder.is_dir() else set()
    if (folder.exists() and not folder.is_dir()) or (strangers and not work.is_dir()):
        there = fetched_name(folder)
        holds = f"holds {there}" if there else "is there, and not empty"
        raise FileExistsError(f"{folder}: {holds}; pass --output with another folder, or delete this one")


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
        """Bring one file, and what is in it, to `unpacked/<name>/` in the working folder."""
        staged = self.work / "unpacked" / file.name
        recorded = read_checksums(self.folder)
        expected = "" if self.accept_changed else file.sha256 or recorded.get(file.url, "")
        if staged.is_dir() and file.url in recorded:
            sha256 = recorded[file.url]
        else:
            shutil.rmtree(staged, ignore_errors=True)  # killed before it was recorded
            archive, sha256 = self._bring(file, source, expected)
            with _no_room_named(self.work, file.name):
                self._unpack(file, archive, staged, source)
            write_checksums(self.folder, {**recorded, file.url: sha256})
        if not isinstance(source, Path):
            (self.work / file.name).unlink(missing_ok=True)
        return FetchedFile(file.name, str(source), sha256, known=bool(file.sha256) and not self.accept_changed)

    def _bring(self, file: RemoteFile, source: str | Path, expected: str) -> tuple[Path, str]:
        """The file on this disk, checked, and its checksum."""
        if not isinstance(source, Path):
            path = self.work / file.name
            n_bytes = 0 if self.accept_changed else file.bytes
            page = self.data_set.page
            return path, download(source, path, sha256=expected, n_bytes=n_bytes, page=page, progress=self.progress)
        import pooch

        sha256 = pooch.file_hash(source)
        if expected and sha256 != expected:
            raise FetchError(
                f"{source}: has the SHA-256 {sha256}, expected {expected}; fetch it again, or pass --accept_changed if "
                "it was replaced at its source"
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
            done = unpack(archive, staged, self.limits)
            if file.nested:
                _unpack_nested(staged, self.limits, done)
        except ArchiveError as error:
            shutil.rmtree(staged, ignore_errors=True)
            if isinstance(error, ArchiveTooLargeError) or isinstance(source, Path):
                raise
            archive.unlink(missing_ok=True)
            raise ArchiveError(
                f"{error}. It came from {source}, and was deleted; look at {self.data_set.page}, or pass --url"
            ) from error


def _sources(data_set: DataSet, url: str | None) -> list[tuple[RemoteFile, str | Path]]:
    """Where each file comes from: an address, or a path on this machine."""
    if url is None:
        return [(file, file.url) for file in data_set.files]
    scheme = urlsplit(url).scheme.lower()
    local = None if scheme in ("http", "https") else Path(unquote(urlsplit(url).path) if scheme == "file" else url)
    if local is None and url.endswith("/"):
        return [(file, url + quote(file.name)) for file in data_set.files]
    if local is not None and local.is_dir():
        missing = [file.name for file in data_set.files if not (local / file.name).is_file()]
        if missing:
            raise FileNotFoundError(f"{local}: lacks {', '.join(missing)}; put what is missing there, by these names")
        return [(file, local / file.name) for file in data_set.files]
    if local is not None and not local.is_file():
        raise FileNotFoundError(
            f"{local}: no such file or folder; --url takes one, or an address that begins with http"
        )
    if len(data_set.files) > 1:
        names = ", ".join(file.name for file in data_set.files)
        raise ValueError(
            f"{url}: one file came for {len(data_set.files)}; pass the folder that holds {names}, an address with / "
            "at its end"
        )
    return [(data_set.files[0], url if local is None else local)]


def _unpack_nested(folder: Path, limits: Limits, done: Unpacked) -> None:
    """Unpack the archives in a folder, each into a folder of its own name, and delete them."""
    for inner in sorted(each for each in folder.rglob("*") if each.is_file() and _looks_like_archive(each)):
        left = Limits(max(limits.gigabytes - done.bytes / 1e9, 1e-9), max(limits.files - done.files, 1), limits.ratio)
        stem = inner.with_suffix("").name.removesuffix(".tar")
        aside = inner.with_name(f".{inner.name}.unpacked")
        more = unpack(inner, aside, left)
        done = Unpacked(done.files + more.files, done.bytes + more.bytes)
        inner.unlink()
        entries = list(aside.iterdir())
        repeated = len(entries) == 1 and entries[0].is_dir() and entries[0].name == stem
        target = inner.with_name(stem)
        target.mkdir(exist_ok=True)
        _merge(entries[0] if repeated else aside, target)
        shutil.rmtree(aside)


def _looks_like_archive(path: Path) -> bool:
    return path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2") and is_archive(path)


def _merge(source: Path, target: Path) -> None:
    """Move what lies in one folder into another; folders of one name become one."""
    for entry in sorted(source.iterdir()):
        goal = target / entry.name
        if entry.is_dir() and goal.is_dir():
            _merge(entry, goal)
        elif goal.exists():
            raise FetchError(f"{goal}: came twice, from two archives, and it is not clear which is meant")
        else:
            os.rename(entry, goal)


@contextmanager
def _no_room_named(folder: Path, name: str) -> Iterator[None]:
    """A disk that fills up while a file is unpacked, as an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise FetchError(
            f"{folder}: {error.strerror} while {name} was unpacked; make room, or pass --output on another disk. The "
            "archive is kept, and the same command goes on"
        ) from error
