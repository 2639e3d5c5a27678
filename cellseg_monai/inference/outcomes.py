"""The outcome of segmenting an image file: done or failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.io import Note

__all__ = ["Done", "Failed", "failed_by"]


@dataclass(frozen=True)
class Done:
    """An image that was segmented.

    Args:
        image: its file.
        sha256: of the file or folder; see `ImageFile.sha256`.
        axes: of the image as it was read, such as "ZCYX".
        shape: one length for each of the axes.
        objects: number of objects in all planes.
        files: the files that were written.
        seconds: from opening the image to its last file, while others were under way at the same time.
        notes: on what its file states but was not used.
    """

    image: ImageFile
    sha256: str
    axes: str
    shape: tuple[int, ...]
    objects: int
    files: tuple[Path, ...]
    seconds: float
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Failed:
    """An image that was not segmented.

    Args:
        image: its file.
        reason: why, in one line that begins with its path.
        notes: on what its file states but was not used; none if it could not be opened.
    """

    image: ImageFile
    reason: str
    notes: tuple[Note, ...] = ()


def failed_by(image: ImageFile, error: Exception, notes: tuple[Note, ...] = ()) -> Failed:
    """Return the outcome of an image that an error ended.

    >>> failed_by(ImageFile(Path("a.tif")), OSError(28, "No space left on device", "out/a.csv")).reason
    'a.tif: out/a.csv: No space left on device'
    """
    path = str(image.path)
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename in (None, path) else f"{error.filename}: "
        return Failed(image, f"{path}: {where}{error.strerror}", notes)
    text = " ".join(str(error).split()) or type(error).__name__
    return Failed(image, text if text.startswith(path) else f"{path}: {text}", notes)
