"""Whose code a bundle is: this package's, or somebody else's, which is then told by a digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.digest import file_digest

__all__ = ["code_digest", "is_installed", "is_shipped", "shipped_folder", "shipped_names"]

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "zoo"

_CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib")
_NO_CODE = ("__pycache__", "output")  # written by running a bundle


def shipped_folder() -> Path:
    """Return the folder of the bundles that ship with this package.

    A wheel holds them in `cellseg_monai/zoo`, which `setup.cfg` fills from `bundles/`. A checkout, also one that is
    installed with `pip install -e`, has no such folder and uses `bundles/` itself.
    """
    return _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "bundles"


def shipped_names() -> list[str]:
    """Return the names of the bundles that ship with this package."""
    return sorted(path.parent.parent.name for path in shipped_folder().glob("*/configs/metadata.json"))


def is_shipped(bundle: str | Path) -> bool:
    """Return True if a bundle ships with this package, whether it is given by its name or by its path."""
    return not is_bundle_path(bundle) or _lies_in(bundle, shipped_folder())


def is_installed(root: str | Path) -> bool:
    """Return True for the folder of a bundle that a wheel brought, in which nothing may be written.

    Args:
        root: the bundle folder.
    """
    return _lies_in(root, _INSTALLED)


def _lies_in(root: str | Path, folder: Path) -> bool:
    return Path(os.path.realpath(root)).parent == Path(os.path.realpath(folder))


def code_digest(root: Path) -> str | None:
    """Return the SHA-256 of the names and contents of all files of a bundle that can decide what it runs.

    These are the files in `configs/`, and all Python files except in `output/`. The weights have their own digest.

    Args:
        root: the bundle folder.

    Returns:
        64 hexadecimal digits, or None for a bundle that ships with this package.
    """
    if is_shipped(root.absolute()):
        return None
    digest = hashlib.sha256()
    for name, path in sorted(_code_files(root)):
        digest.update(f"{name}\n{file_digest(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _code_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file within the bundle, and its path; links to folders are followed once."""
    seen = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        place = Path(folder).relative_to(root)
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if name not in _NO_CODE and not name.startswith("."))
        for name in files:
            path = Path(folder, name)
            if (place.parts[:1] == ("configs",) or path.suffix.lower() in _CODE) and path.is_file():
                yield (place / name).as_posix(), path
