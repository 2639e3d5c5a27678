"""The folder of a bundle that is given by its name, its folder or its zip, and those of all bundles."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from cellseg_monai.bundle.origin import shipped_folder, shipped_names
from cellseg_monai.bundle.zipped import unpacked_bundle
from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.errors import BundleError

__all__ = ["find_bundle", "find_bundles"]


def find_bundle(bundle: str | Path) -> Path:
    """Return the folder of a bundle.

    Args:
        bundle: name of a bundle that ships with this package, such as "nuclei"; or the path of another bundle's folder
            or zip, such as "./nuclei" or "nuclei.zip". A name is never looked up in the working folder, and a `Path` is
            always a path. A zip is unpacked into a cache.

    Raises:
        BundleError: the bundle does not exist, or the zip does not contain a bundle.
    """
    if not is_bundle_path(bundle):
        return _shipped(str(bundle))
    path = Path(bundle)
    if path.is_file():
        return unpacked_bundle(path)
    if (path / "configs" / "metadata.json").is_file():
        return path
    raise BundleError(
        f"no bundle at {path.absolute()}: it is no zip, and has no configs/metadata.json; pass the folder or zip of a "
        f"bundle, or one of {', '.join(shipped_names())}"
    )


def _shipped(name: str) -> Path:
    known = shipped_names()
    if name in known:
        return shipped_folder() / name
    here = [path for path in (Path(name), Path("bundles") / name) if name and path.exists()]
    nearest = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"pass one of {', '.join(known)}, or a path"
    if here:
        remedy = f"to use the one in this folder, write {os.path.join(os.curdir, here[0])}"
    raise BundleError(f"no bundle named {name!r} ships with this package; {remedy}")


def find_bundles(bundles_dir: str | Path | None = None) -> list[Path]:
    """Return the bundle folders, which are those that contain a `bundle.json`, in alphabetical order.

    Args:
        bundles_dir: folder that contains the bundles; None for the bundles that ship with this package.

    Raises:
        BundleError: `bundles_dir` contains no bundle.
    """
    parent = shipped_folder() if bundles_dir is None else Path(bundles_dir)
    folders = sorted(path.parent for path in parent.glob("*/bundle.json"))
    if not folders:
        raise BundleError(f"no */bundle.json in {parent.absolute()}; pass the folders of bundles")
    return folders
