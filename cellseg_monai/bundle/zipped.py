"""Bundles in a zip, each of which is unpacked once into a cache."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from cellseg_monai.archives import Limits, unpack
from cellseg_monai.digest import file_digest
from cellseg_monai.errors import ArchiveTooLargeError, BundleError

__all__ = ["unpacked_bundle"]

_METADATA = "configs/metadata.json"
_LIMITS = Limits(gigabytes=20, files=10_000)


def unpacked_bundle(path: Path) -> Path:
    """Return the folder of a bundle in a zip, which holds the bundle at its top or in the only folder there.

    The folder is kept in `$XDG_CACHE_HOME/cellseg_monai/bundles` (or `~/.cache/...`), under the SHA-256 of the zip. So
    each zip is unpacked once, and another zip with the same name is another bundle.

    Args:
        path: the zip.

    Raises:
        BundleError: the file is not a zip, holds no bundle, or holds too much.
        ArchiveError: the zip is broken, or would write to a place outside the cache.
        OSError: the zip cannot be read or unpacked.
    """
    inner = _folder_within(path)
    folder = _cache() / file_digest(path)
    if not folder.is_dir():
        try:
            unpack(path, folder, _LIMITS)
        except ArchiveTooLargeError as error:
            raise BundleError(
                f"{path}: holds more than {_LIMITS.gigabytes:g} GB, {_LIMITS.files} files, or {_LIMITS.ratio:g} bytes "
                "for each byte of the zip; if you trust it, unpack it and name the folder"
            ) from error
        except OSError:
            if not folder.is_dir():  # otherwise another process has unpacked it
                raise
    return folder / inner


def _folder_within(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        raise BundleError(f"{path}: got a file that is not a zip, expected a bundle; name its folder, or a zip of it")
    with zipfile.ZipFile(path) as opened:
        names = [name.replace("\\", "/").removeprefix("./") for name in opened.namelist()]
    roots = [name.removesuffix(_METADATA).rstrip("/") for name in names if f"/{name}".endswith(f"/{_METADATA}")]
    roots = [root for root in roots if "/" not in root]
    if len(roots) != 1:
        content = ", ".join(sorted({name.split("/")[0] for name in names})[:5]) or "nothing"
        raise BundleError(
            f"{path}: got {content}, expected {_METADATA} at its top or in the only folder there; make a zip of the "
            "folder of one bundle"
        )
    return roots[0]


def _cache() -> Path:
    # The XDG specification says that a relative path must be ignored.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "cellseg_monai" / "bundles"
