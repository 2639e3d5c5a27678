"""Finding the files that an image file names: only regular files in its own folder are opened.

An image can come from anybody. Without this rule, its header could name a device or any of the user's files, whose
contents would then be read as pixels and written to the results.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from cellseg_monai.errors import UnreadableImageError

__all__ = ["MissingNeighbourError", "neighbour"]


class MissingNeighbourError(UnreadableImageError):
    """Raised when a file that an image file names does not exist."""


def neighbour(path: Path, name: str) -> Path:
    """Return the path of a file that an image file names.

    Args:
        path: image file.
        name: name of the other file, as the image file states it.

    Raises:
        UnreadableImageError: the name leads out of the folder of the image, or does not belong to a regular file.
        MissingNeighbourError: there is no such file.

    >>> neighbour(Path("cells.mhd"), "../../etc/passwd")
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: cells.mhd: it names the file '../../etc/passwd', which is outside its
    folder and is not read; put both files in one folder, and correct the name
    """
    if not _is_plain(name):
        raise _outside(path, name)
    other = path.parent / name
    try:
        mode = other.stat().st_mode
        # Links can lead elsewhere. The image file itself can be a link into the folder that holds all the files.
        is_inside = other.resolve().parent in (path.parent.resolve(), path.resolve().parent)
    except (OSError, ValueError, RuntimeError) as error:  # a missing file, an impossible name, a link to itself
        raise MissingNeighbourError(
            path, f"it names the file {name[:80]!r}, which is missing", "copy all files that belong to the image again"
        ) from error
    if not is_inside:
        raise _outside(path, name)
    if not stat.S_ISREG(mode):
        raise UnreadableImageError(
            path, f"it names {name[:80]!r}, which is not a regular file and is not read", "export the image again"
        )
    return other


def _is_plain(name: str) -> bool:
    """Return True if a name has no folders, on any system."""
    return name not in ("", ".", "..") and not re.search(r"[/\\\0]|^[A-Za-z]:", name)


def _outside(path: Path, name: str) -> UnreadableImageError:
    return UnreadableImageError(
        path,
        f"it names the file {name[:80]!r}, which is outside its folder and is not read",
        "put both files in one folder, and correct the name",
    )
