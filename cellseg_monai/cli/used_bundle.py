"""The bundle that a command uses, announced if its code is not this package's."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.cli.printing import print_error

__all__ = ["announce", "bundle_folder", "used_bundle"]


def bundle_folder(bundle: str) -> Path:
    """Return the folder of a bundle, which can still lack its configs if it is given by its path.

    Args:
        bundle: name or folder of the bundle.

    Raises:
        BundleError: no bundle of this name ships with this package.
    """
    from cellseg_monai.bundle import find_bundle

    return Path(bundle) if is_bundle_path(bundle) else find_bundle(bundle)


def used_bundle(bundle: str) -> Path:
    """Return the folder of a bundle; if it does not ship with this package, say that its code will run.

    Args:
        bundle: name or path of the bundle.

    Raises:
        BundleError: the bundle does not exist.
    """
    from cellseg_monai.bundle import find_bundle

    root = find_bundle(bundle)
    announce(root, bundle)
    return root


def announce(root: Path, bundle: str | Path) -> None:
    """Say that the code of a bundle will run, unless the bundle ships with this package.

    Args:
        root: folder of the bundle.
        bundle: name or path by which the user knows it.
    """
    from cellseg_monai.bundle import is_shipped

    if not is_shipped(root.absolute()):
        print_error(f"using the bundle at {Path(bundle).absolute()}, whose code will run")
