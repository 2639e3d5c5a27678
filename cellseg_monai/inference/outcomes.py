"""The outcome of segmenting an image file: done or failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.flag import Flag
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.io import Note
from cellseg_monai.one_line import one_line

__all__ = ["Done", "Failed", "failed_by"]


@dataclass(frozen=True)
class Done:
    """The outcome of an image that was segmented.

    Args:
        image: the image file.
        sha256: SHA-256 of the image file or folder; see `ImageFile.sha256`.
        axes: axes of the image as read, such as "ZCYX".
        shape: length of each axis.
        objects: number of objects in all planes.
        files: the result files.
        seconds: time from opening the image to writing its last file; other images were being processed meanwhile.
        notes: notes on the image; see `io.Note`.
        flags: what is unusual about the image; see `quality.flags_of`.
        measures: for each plane, the numbers behind the flags by name; see `quality.PlaneMeasures`.
        choices: for each plane, how bundle and scale were chosen; see `Pipeline.choice`. Empty if they were fixed.
        image_classes: for each plane, the probability of each class of the image by name; empty without such classes.
    """

    image: ImageFile
    sha256: str
    axes: str
    shape: tuple[int, ...]
    objects: int
    files: tuple[Path, ...]
    seconds: float
    notes: tuple[Note, ...] = ()
    flags: tuple[Flag, ...] = ()
    measures: tuple[Mapping[str, float], ...] = ()
    choices: tuple[Mapping[str, Any], ...] = ()
    image_classes: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Failed:
    """The outcome of an image that could not be segmented.

    Args:
        image: the image file.
        reason: one line that says why, beginning with the path of the image.
        notes: notes on the image; empty if it could not be opened.
    """

    image: ImageFile
    reason: str
    notes: tuple[Note, ...] = ()


def failed_by(image: ImageFile, error: Exception, notes: tuple[Note, ...] = ()) -> Failed:
    """Return the outcome of an image whose segmentation raised an error.

    >>> failed_by(ImageFile(Path("a.tif")), OSError(28, "No space left on device", "out/a.csv")).reason
    'a.tif: out/a.csv: No space left on device'
    """
    path = str(image.path)
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename in (None, path) else f"{error.filename}: "
        return Failed(image, f"{path}: {where}{error.strerror}", notes)
    text = str(error) or type(error).__name__
    reason = text.removeprefix(path) if text.startswith(path) else f": {text}"
    return Failed(image, one_line(path) + re.sub(r"\s+", " ", reason), notes)
