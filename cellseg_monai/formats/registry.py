"""The readable file formats, and how to recognise them."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import cast

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.stored import Stored

__all__ = ["FORMATS", "Format", "find_format", "image_stem", "readable_suffixes"]


@dataclass(frozen=True)
class Format:
    """A file format that `read` supports.

    Args:
        name: name of the format, used in error messages.
        suffixes: lower-case suffixes, including the dot.
        starts: (offset, bytes) pairs, any one of which identifies the format; empty if the format is identified only by
            its suffix.
        backend: name of the module in this package that reads the format, imported when first needed. Its function
            `load(path, axes, *, indices) -> Stored` determines the axes with `settle_axes` and returns the values as
            stored. With `indices`, it returns the indices in a palette image instead of its colours.
        is_lazy: True if the backend can read parts of a file. Instead of `load`, it then has a context manager `opened`
            with the same arguments, whose `Stored` array is read on demand.
        marks: names of files, at least one of which is in every folder with this format; empty if images in the format
            are files.
        parts: name of the module with a function `files_of(path)`, which returns all files that make up an image; empty
            if an image is always a single file or folder.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[tuple[int, bytes], ...]
    backend: str
    is_lazy: bool = False
    marks: tuple[str, ...] = ()
    parts: str = ""

    def matches(self, head: bytes) -> bool:
        """Return True if a file that begins with `head` has this format."""
        return any(head[offset : offset + len(magic)] == magic for offset, magic in self.starts)

    def files_of(self, path: Path) -> set[Path]:
        """Return all files that make up the image in a file, including that file.

        Raises:
            UnreadableImageError: the file cannot be read, or one of the others is missing.
        """
        if not self.parts:
            return {path}
        module = importlib.import_module(f"cellseg_monai.formats.{self.parts}")
        return cast(set[Path], module.files_of(path))

    def opened(self, path: Path, axes: str | None, *, indices: bool = False) -> AbstractContextManager[Stored]:
        """Return a context manager that keeps an image open for reading; the first call imports the backend.

        Args:
            path: file or folder to read.
            axes: axes according to the user, or None.
            indices: True to return the indices in a palette image instead of its colours.
        """
        backend = importlib.import_module(f"cellseg_monai.formats.{self.backend}")
        if self.is_lazy:
            return cast(AbstractContextManager[Stored], backend.opened(path, axes, indices=indices))
        return nullcontext(cast(Stored, backend.load(path, axes, indices=indices)))


_TIFF = tuple((0, magic) for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))

FORMATS: tuple[Format, ...] = (
    Format(
        "TIFF", (".tif", ".tiff", ".lsm", ".stk", ".tf8", ".btf"), _TIFF, "tiff_reader", is_lazy=True, parts="tiff_sets"
    ),
    Format("PNG", (".png",), ((0, b"\x89PNG\r\n\x1a\n"),), "pillow_reader"),
    Format("JPEG", (".jpg", ".jpeg"), ((0, b"\xff\xd8\xff"),), "pillow_reader"),
    Format("BMP", (".bmp",), ((0, b"BM"),), "pillow_reader"),
    Format("NumPy", (".npy",), ((0, b"\x93NUMPY"),), "npy_reader", is_lazy=True),
    Format("NRRD", (".nrrd", ".nhdr"), ((0, b"NRRD0"),), "nrrd_reader", is_lazy=True, parts="nrrd_reader"),
    Format("DICOM", (".dcm",), ((128, b"DICM"),), "itk_reader"),
    Format("MetaImage", (".mha", ".mhd"), (), "metaimage_reader", is_lazy=True, parts="metaimage_reader"),
    Format("OME-Zarr", (".zarr",), (), "zarr_reader", is_lazy=True, marks=(".zgroup", ".zarray", "zarr.json")),
)
"""All formats, those with the most reliable signatures first.

A new format needs a line here, a backend and a contract test.
"""

HEAD_BYTES = 132


def readable_suffixes() -> tuple[str, ...]:
    """Return the suffixes that `read` supports, in lower case and sorted.

    >>> ".tif" in readable_suffixes()
    True
    """
    return tuple(sorted(suffix for candidate in FORMATS for suffix in candidate.suffixes))


def image_stem(path: str | PathLike[str]) -> str:
    """Return the name of an image file without its suffix; `.ome.tif`, in any case, counts as one suffix.

    >>> image_stem("images/plate1.A01.OME.tif"), image_stem("labels/plate1.A01.TIF")
    ('plate1.A01', 'plate1.A01')
    """
    stem = Path(fspath(path)).stem
    return stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem


def find_format(path: Path) -> Format:
    """Identify the format of a file by its first bytes or else its suffix, and of a folder by its contents.

    The first bytes take precedence, because names are often wrong: a PNG named .tif is read as a PNG.

    Raises:
        FileNotFoundError: the path does not exist.
        UnreadableImageError: the file is empty, is a device or has an unknown format, or the folder is not an image.
    """
    if path.is_dir():
        return _format_of_folder(path)
    if path.exists() and not path.is_file():  # opening a pipe would wait forever
        raise UnreadableImageError(path, "got a device or a pipe, expected a file", "copy the image into a file")
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
                f"the file is named {suffix} but is not {candidate.name} (it begins with {head[:8]!r})",
                "it is damaged or misnamed, so open it in the program that wrote it",
            )
    raise UnreadableImageError(
        path,
        f"files with the suffix {suffix!r} are not supported (this one begins with {head[:8]!r})",
        f"export the image in a supported format ({' '.join(readable_suffixes())}), such as TIFF",
    )


def _format_of_folder(path: Path) -> Format:
    for candidate in FORMATS:
        if any((path / mark).is_file() for mark in candidate.marks):
            return candidate
    for candidate in FORMATS:
        if candidate.marks and path.suffix.lower() in candidate.suffixes:
            marks = ", ".join(candidate.marks)
            raise UnreadableImageError(
                path, f"the folder is named {path.suffix} but has none of {marks}", "copy the whole folder again"
            )
    raise UnreadableImageError(path, "got a folder, expected an image", "pass one of the image files in the folder")
