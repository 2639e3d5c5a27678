"""The readable formats, one line each, and how to recognise them."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import cast

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.stored import Stored

__all__ = ["FORMATS", "Format", "find_format", "image_stem", "readable_suffixes"]


@dataclass(frozen=True)
class Format:
    """A format that `read` knows.

    Args:
        name: name of the format, for messages.
        suffixes: lower-case suffixes with the dot.
        starts: (offset, bytes) pairs, each of which identifies the format; empty if only the suffix does.
        backend: module of this package with a function `load(path, axes, *, indices) -> Stored`, which settles the axes
            with `settle_axes` and returns the values as stored. With `indices`, an image with a palette is returned as
            its indices. The module is imported when the first such file is read.
        is_lazy: True if the backend can read parts of a file. It then has, instead of `load`, a context manager
            `opened` with the same arguments, and the array of its `Stored` is read on demand.
        marks: names of files, one of which is in every folder of this format; empty if an image is a file.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[tuple[int, bytes], ...]
    backend: str
    is_lazy: bool = False
    marks: tuple[str, ...] = ()

    def matches(self, head: bytes) -> bool:
        """Return True if a file that begins with `head` is of this format."""
        return any(head[offset : offset + len(magic)] == magic for offset, magic in self.starts)

    def opened(self, path: Path, axes: str | None, *, indices: bool = False) -> AbstractContextManager[Stored]:
        """Return the image of a file, which stays open within the context; the first call imports the backend.

        Args:
            path: path of the file or folder.
            axes: axes according to the user, or None.
            indices: True to return the indices of a picture with a palette instead of its colours.
        """
        backend = importlib.import_module(f"cellseg_monai.io.{self.backend}")
        if self.is_lazy:
            return cast(AbstractContextManager[Stored], backend.opened(path, axes, indices=indices))
        return nullcontext(cast(Stored, backend.load(path, axes, indices=indices)))


_TIFF = tuple((0, magic) for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))

FORMATS: tuple[Format, ...] = (
    Format("TIFF", (".tif", ".tiff", ".lsm", ".stk", ".tf8", ".btf"), _TIFF, "tiff_reader", is_lazy=True),
    Format("PNG", (".png",), ((0, b"\x89PNG\r\n\x1a\n"),), "pillow_reader"),
    Format("JPEG", (".jpg", ".jpeg"), ((0, b"\xff\xd8\xff"),), "pillow_reader"),
    Format("BMP", (".bmp",), ((0, b"BM"),), "pillow_reader"),
    Format("NumPy", (".npy",), ((0, b"\x93NUMPY"),), "npy_reader", is_lazy=True),
    Format("NRRD", (".nrrd", ".nhdr"), ((0, b"NRRD0"),), "itk_reader"),
    Format("DICOM", (".dcm",), ((128, b"DICM"),), "itk_reader"),
    Format("MetaImage", (".mha", ".mhd"), (), "itk_reader"),
    Format("OME-Zarr", (".zarr",), (), "zarr_reader", is_lazy=True, marks=(".zgroup", ".zarray", "zarr.json")),
)
"""All formats, the most reliable signature first. A new one needs a line here, a backend and a contract test."""

HEAD_BYTES = 132


def readable_suffixes() -> tuple[str, ...]:
    """Return the suffixes that `read` knows, lower case, sorted.

    >>> ".tif" in readable_suffixes()
    True
    """
    return tuple(sorted(suffix for candidate in FORMATS for suffix in candidate.suffixes))


def image_stem(path: str | PathLike[str]) -> str:
    """Return the name of an image file without its suffix; `.ome.tif` counts as one suffix, in upper or lower case.

    >>> image_stem("images/plate1.A01.OME.tif"), image_stem("labels/plate1.A01.TIF")
    ('plate1.A01', 'plate1.A01')
    """
    stem = Path(fspath(path)).stem
    return stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem


def find_format(path: Path) -> Format:
    """Return the format of a file by its first bytes, or else by its suffix, and of a folder by its contents.

    The bytes take precedence, because names are often wrong: a PNG named .tif is read as a PNG.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableImageError: the file is empty or of an unknown format, or the folder is not an image.
    """
    if path.is_dir():
        return _format_of_folder(path)
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise UnreadableImageError(path, "the file is empty", "copy or export it again")
    for candidate in FORMATS:
        if candidate.matches(head):
            return candidate
    suffix = path.suffix.lower()
    for candidate in FORMATS:
        if suffix in candidate.suffixes:
            if not candidate.starts and not candidate.marks:
                return candidate
            raise UnreadableImageError(
                path,
                f"it is named {suffix}, but is not {candidate.name} (it begins with {head[:8]!r})",
                "it is damaged or misnamed: open it in the program that made it",
            )
    raise UnreadableImageError(
        path,
        f"files of type {suffix!r} are not supported (it begins with {head[:8]!r})",
        f"export it as TIFF; supported are {' '.join(readable_suffixes())}",
    )


def _format_of_folder(path: Path) -> Format:
    for candidate in FORMATS:
        if any((path / mark).is_file() for mark in candidate.marks):
            return candidate
    for candidate in FORMATS:
        if candidate.marks and path.suffix.lower() in candidate.suffixes:
            marks = ", ".join(candidate.marks)
            raise UnreadableImageError(
                path, f"a folder named {path.suffix} without any of {marks}", "copy the whole folder again"
            )
    raise UnreadableImageError(path, "it is a folder", "pass one of the image files in it")
