"""Copying a bundle to a folder of one's own, to change its configs or to train it there."""

from __future__ import annotations

import shutil
from pathlib import Path

from cellseg_monai.bundle.locate import find_bundle
from cellseg_monai.errors import BundleError

__all__ = ["copy_bundle"]

# Recipes are not copied, so the configs of a copy are no longer built from bundle.json.
_NOT_COPIED = ("output", "bundle.json")
_NO_PARTS = ("__pycache__", ".*")


def copy_bundle(bundle: str | Path, folder: str | Path) -> Path:
    """Copy a bundle with its weights, but without the output of its runs, and return the folder of the copy.

    Args:
        bundle: name of a bundle that ships with this package; or path of a bundle's folder or zip.
        folder: the new folder.

    Raises:
        BundleError: the bundle does not exist, or the folder lies in it.
        FileExistsError: the folder exists.
    """
    root, target = find_bundle(bundle), Path(folder)
    if target.exists() or target.is_symlink():
        raise FileExistsError(f"{target} already exists; choose another --output, or move it")
    if target.absolute().is_relative_to(root.absolute()):
        raise BundleError(f"{target} lies in the bundle {root}; choose another --output")

    def left_out(place: str, names: list[str]) -> set[str]:
        top = _NOT_COPIED if Path(place) == root else ()
        return {*shutil.ignore_patterns(*_NO_PARTS, *top)(place, names)}

    # Only the contents are copied: permission to write, which an installed file can lack, is that of a new file.
    shutil.copytree(root, target, ignore=left_out, copy_function=shutil.copyfile)
    return target
