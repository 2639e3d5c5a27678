"""Files that together are one image, so that it is read once and not once for each file."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cellseg_monai.io.reading import image_files

__all__ = ["one_per_image"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_MOST_NAMES = 3


@dataclass
class _Image(Generic[_T]):
    """An image, and the files of it that were found."""

    item: _T
    first: str
    names: list[str]


def one_per_image(files: Iterable[tuple[Path, _T]]) -> list[_T]:
    """Return one file of each image that is divided among several TIFF files, and all other files.

    This is the first file, unless it does not name the others. A message says which files are one image.

    Args:
        files: path of each file, and what to return for it.
    """
    found = list(files)
    if len(found) < 2:  # spares opening the file
        return [item for _, item in found]
    images: dict[int, _Image[_T]] = {}
    image_of: dict[Path, int] = {}
    for number, (path, item) in enumerate(found):
        place = path.absolute()
        if place in image_of:
            images[image_of[place]].names.append(path.name)
            continue
        members = {member.absolute() for member in image_files(path)}
        image = _Image(item, path.name, [path.name])
        # Files that came before and do not name the others, as beside a master file.
        parts = sorted({image_of[member] for member in members if member in image_of})
        image.names[:0] = [name for part in parts for name in images.pop(part).names]
        images[number] = image
        members |= {member for member, part in image_of.items() if part in parts} if parts else set()
        image_of.update(dict.fromkeys(members, number))
    for image in images.values():
        if len(image.names) > 1:
            listed = ", ".join(image.names[:_MOST_NAMES]) + ", …" * (len(image.names) > _MOST_NAMES)
            logger.warning(
                f"{len(image.names)} files are one image ({listed}), because they name each other; it is read once, "
                f"as {image.first}"
            )
    return [image.item for image in images.values()]
