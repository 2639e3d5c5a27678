"""Zipped bundles, which are unpacked once into a cache."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
import zlib
from pathlib import Path

from cellseg_monai.archives import Limits, unpack
from cellseg_monai.digest import file_digest
from cellseg_monai.errors import ArchiveTooLargeError, BundleError
from cellseg_monai.lock import only_one

__all__ = ["unpacked_bundle"]

_METADATA = "configs/metadata.json"
_LIMITS = Limits(gigabytes=20, files=10_000)


def unpacked_bundle(path: Path) -> Path:
    """Unpack a zipped bundle into the cache, unless it is there as a whole, and return the bundle folder.

    The cache is `$XDG_CACHE_HOME/cellseg_monai/bundles` (or `~/.cache/...`), with one folder per SHA-256 of a zip.
    Each zip is therefore unpacked only once, and two zips with the same name but different content do not clash.

    Args:
        path: the zip. It must contain the bundle at its top level or in one top-level folder.

    Raises:
        BundleError: the file is not a zip, contains no bundle or several, or exceeds the limits for unpacking.
        ArchiveError: the zip is damaged, or would write outside the cache.
        OSError: the zip cannot be read or unpacked.
    """
    inner = _folder_within(path)
    folder = _cache() / file_digest(path)
    while not _is_whole(folder, path):
        try:
            with only_one(folder.with_name(f".{folder.name}.lock"), "cellseg"):
                _renew(folder, path)
        except FileExistsError:  # another process is unpacking the same zip
            time.sleep(0.2)
    return folder / inner


def _renew(folder: Path, path: Path) -> None:
    """Unpack a zip into the cache, after removing what a killed process or a cleaned disk has left of it."""
    if _is_whole(folder, path):
        return
    for left in (folder, *folder.parent.glob(f".{folder.name}.*.part")):
        shutil.rmtree(left, ignore_errors=True)
    try:
        unpack(path, folder, _LIMITS)
    except FileExistsError as error:
        raise BundleError(f"{folder}: cannot be replaced by the content of {path}; delete this folder") from error
    except ArchiveTooLargeError as error:
        raise BundleError(
            f"{path}: unpacks to more than {_LIMITS.gigabytes:g} GB, {_LIMITS.files} files, or {_LIMITS.ratio:g} bytes "
            "per byte of the zip; if you trust the zip, unpack it yourself and pass the folder"
        ) from error


def _is_whole(folder: Path, path: Path) -> bool:
    """Return True if a folder has all files of a zip, with their contents."""
    if not folder.is_dir():
        return False
    with zipfile.ZipFile(path) as opened:
        members = [info for info in opened.infolist() if not info.is_dir()]
    for info in members:
        name = info.filename.replace("\\", "/")
        if name.removeprefix("./").startswith("__MACOSX"):  # not unpacked
            continue
        try:
            if zlib.crc32((folder / name).read_bytes()) != info.CRC:
                return False
        except OSError:
            return False
    return True


def _folder_within(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        raise BundleError(
            f"{path}: got a file that is not a zip, expected a bundle; pass a bundle folder, or a zip of one"
        )
    with zipfile.ZipFile(path) as opened:
        names = [name.replace("\\", "/").removeprefix("./") for name in opened.namelist()]
    roots = [name.removesuffix(_METADATA).rstrip("/") for name in names if f"/{name}".endswith(f"/{_METADATA}")]
    roots = [root for root in roots if "/" not in root]
    if len(roots) != 1:
        content = ", ".join(sorted({name.split("/")[0] for name in names})[:5]) or "nothing"
        raise BundleError(
            f"{path}: got {content}, expected {_METADATA} at the top level or in one top-level folder; zip a single "
            "bundle folder"
        )
    return roots[0]


def _cache() -> Path:
    # According to the XDG specification, a relative path must be ignored.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "cellseg_monai" / "bundles"
