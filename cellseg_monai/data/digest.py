"""Which images and labels something was made of, as one short text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cellseg_monai.data.split import Item

__all__ = ["file_digest", "image_digest", "items_digest"]


def items_digest(items: Iterable[Item]) -> str:
    """SHA-256 over the content of the image and label files of items, whatever their names, folders and order.

    Args:
        items: with the paths `image`, and `label` where there is one.

    Returns:
        64 hexadecimal digits.
    """
    pairs = sorted("".join(file_digest(Path(item[key])) for key in ("image", "label") if key in item) for item in items)
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def image_digest(path: Path) -> str:
    """SHA-256 of an image: of its file, or of the names and contents of all files of a folder, such as an OME-Zarr."""
    if not path.is_dir():
        return file_digest(path)
    digest = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\n{file_digest(file)}\n".encode())
    return digest.hexdigest()
