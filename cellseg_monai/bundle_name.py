"""The line between the names of bundles that ship with this package and the paths of others.

A bundle is code. A name is therefore never looked up in the working folder, where a downloaded data set may hold a
folder of that name.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["bundle_text", "is_bundle_path"]


def is_bundle_path(bundle: str | os.PathLike[str]) -> bool:
    """Return True if a bundle is given by its path, and False if it is given by its name.

    A path contains a separator, begins with a dot or ends with a suffix such as .zip. A `Path` is always a path.

    >>> [is_bundle_path(bundle) for bundle in ("nuclei", "./nuclei", "bundles/nuclei", "nuclei.zip", Path("nuclei"))]
    [False, True, True, True, True]
    """
    if not isinstance(bundle, str):
        return True
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    is_split = any(separator in bundle for separator in separators) or Path(bundle).drive != ""
    return is_split or bundle.startswith(".") or Path(bundle).suffix != ""


def bundle_text(bundle: str | os.PathLike[str]) -> str:
    """Return a bundle as text from which it can still be told whether it is a name or a path.

    >>> bundle_text("nuclei"), Path(bundle_text(Path("nuclei"))) == Path("nuclei")
    ('nuclei', True)
    """
    text = os.fspath(bundle)
    return text if is_bundle_path(text) == is_bundle_path(bundle) else os.path.join(os.curdir, text)
