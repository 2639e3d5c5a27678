"""The formats that can be read: one line each, and how a file is told from another."""

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
        name: for messages.
        suffixes: lower case, with the dot.
        starts: (offset, bytes) pairs, any of which tells the format; empty if nothing does, so that
            the suffix decides alone.
        backend: module of this package that has `load(path, axes, *, indices) -> Stored`: it settles
            the axes with `settle_axes` and returns the values as stored. With `indices`, an image with
            a palette comes back as its indices. Imported when the first such file is read.
        is_lazy: whether the backend reads parts of a file: it then has, instead of `load`, a context manager
            `opened` of the same arguments, whose `Stored` has an array that is read as it is asked for.
        marks: names of files, one of which lies in a folder of this format; empty where an image is a file.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[tuple[int, bytes], ...]
    backend: str
    is_lazy: bool = False
    marks: tuple[str, ...] = ()

    def matches(self, head: bytes) -> bool:
        """Tell whether a file that begins with `head` is of this format."""
        return any(head[at : at + len(magic)] == magic for at, magic in self.starts)

    def opened(self, path: Path, axes: str | None, *, indices: bool = False) -> AbstractContextManager[Stored]:
        """Return the image of a file, open while the context lasts; imports the backend at the first call."""
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
"""Every format, strongest mark first. A new one is a line here, a backend, and its contract test."""

HEAD_BYTES = 132


def readable_suffixes() -> tuple[str, ...]:
    """Return the suffixes that `read` knows, lower case, sorted.

    >>> ".tif" in readable_suffixes()
    True
    """
    return tuple(sorted(suffix for known in FORMATS for suffix in known.suffixes))


def image_stem(path: str | PathLike[str]) -> str:
    """Return the name of an image file without its suffix; `.ome.tif` counts as one suffix, in any case.

    >>> image_stem("images/plate1.A01.OME.tif"), image_stem("labels/plate1.A01.TIF")
    ('plate1.A01', 'plate1.A01')
    """
    stem = Path(fspath(path)).stem
    return stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem


def find_format(path: Path) -> Format:
    """Return the format of a file: what its first bytes say, or else its suffix; of a folder: what lies in it.

    The bytes win, because names lie: a PNG called .tif is read as the PNG that it is.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableImageError: if it is empty, of no format known here, or a folder that is no image.
    """
    if path.is_dir():
        return _format_of_folder(path)
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise UnreadableImageError(path, "the file is empty", "copy or export it again")
    for known in FORMATS:
        if known.matches(head):
            return known
    suffix = path.suffix.lower()
    for known in FORMATS:
        if suffix in known.suffixes:
            if not known.starts and not known.marks:
                return known
            raise UnreadableImageError(
                path,
                f"it is called {suffix} and is no {known.name} (it begins with {head[:8]!r})",
                "it is damaged or misnamed: look at it with the program that made it",
            )
    raise UnreadableImageError(
        path,
        f"files of type {suffix!r} are not known (it begins with {head[:8]!r})",
        f"export it as TIFF; known are {' '.join(readable_suffixes())}",
    )


def _format_of_folder(path: Path) -> Format:
    for known in FORMATS:
        if any((path / mark).is_file() for mark in known.marks):
            return known
    for known in FORMATS:
        if known.marks and path.suffix.lower() in known.suffixes:
            marks = ", ".join(known.marks)
            raise UnreadableImageError(
                path, f"a folder called {path.suffix} in which there is none of {marks}", "copy all of it again"
            )
    raise UnreadableImageError(path, "it is a folder", "pass one image file of it")
