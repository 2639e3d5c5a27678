"""Bundles that come as a zip: unpacked once, into a cache."""

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
    """The folder of a bundle that lies in a zip, at its top or in the one folder there.

    It is kept below `$XDG_CACHE_HOME/cellseg_monai/bundles` (or `~/.cache`), under the SHA-256 of the zip, so that it
    is unpacked once, and another zip of the same name is another bundle.

    Args:
        path: the zip.

    Raises:
        BundleError: no zip, none of a bundle, or one that holds too much.
        ArchiveError: it is broken, or would write where it must not.
        OSError: it cannot be read, or not be unpacked.
    """
    inner = _folder_within(path)
    folder = _cache() / file_digest(path)
    if not folder.is_dir():
        try:
            unpack(path, folder, _LIMITS)
        except ArchiveTooLargeError as error:
            raise BundleError(
                f"{path} holds more than {_LIMITS.gigabytes:g} GB, {_LIMITS.files} files, or {_LIMITS.ratio:g} bytes "
                "for each of its own; if you trust it, unpack it and name the folder"
            ) from error
        except OSError:
            if not folder.is_dir():  # otherwise another process was quicker
                raise
    return folder / inner


def _folder_within(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        raise BundleError(f"{path} is no zip, but a bundle was expected; name its folder, or a zip of it")
    with zipfile.ZipFile(path) as opened:
        names = [name.replace("\\", "/").removeprefix("./") for name in opened.namelist()]
    roots = [name.removesuffix(_METADATA).rstrip("/") for name in names if f"/{name}".endswith(f"/{_METADATA}")]
    roots = [root for root in roots if "/" not in root]
    if len(roots) != 1:
        held = ", ".join(sorted({name.split("/")[0] for name in names})[:5]) or "nothing"
        raise BundleError(
            f"{path} holds {held}, but {_METADATA} was expected at its top or in the one folder there; make a zip of "
            "the folder of one bundle"
        )
    return roots[0]


def _cache() -> Path:
    # The specification says that a relative path is to be ignored.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "cellseg_monai" / "bundles"
