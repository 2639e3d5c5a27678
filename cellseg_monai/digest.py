"""SHA-256 digests of files and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cellseg_monai.text_file import open_regular

__all__ = ["file_digest", "files_digest", "image_digest", "text_digest"]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read, or is a pipe or a device.
    """
    with open_regular(path) as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def image_digest(path: Path) -> str:
    """Return the SHA-256 of an image file, or of the names and contents of all files in an OME-Zarr folder."""
    if not path.is_dir():
        return file_digest(path)
    return files_digest(path, sorted(entry for entry in path.rglob("*") if entry.is_file()))


def text_digest(text: str) -> bytes:
    """Return the SHA-256 of text, which can hold names of files whose bytes are no text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def files_digest(folder: Path, files: Sequence[Path]) -> str:
    """Return the SHA-256 of the names and contents of several files in a folder."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()}\n{file_digest(file)}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
