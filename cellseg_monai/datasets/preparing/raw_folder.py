"""Functions for finding files in raw folders, despite wrapper folders and files added by the OS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import image_stem, readable_suffixes

__all__ = [
    "HELD_OUT_FIRST",
    "files_below",
    "images_in",
    "section_named",
    "subfolder",
    "subfolders",
    "suffix_of",
    "top_folder",
    "unknown_images",
]

HELD_OUT_FIRST = ("test", "validation", "training")
"""Sections by precedence. An image in several sections goes to the first, so that no held-out image is trained on."""

_RUBBISH = "__MACOSX"
_LAYOUT_FOLDERS = ("images", "masks", "labels")
_OTHER_IMAGES = (
    *(".avif", ".czi", ".dv", ".gif", ".heic", ".ims", ".jp2", ".jpf", ".lif", ".mrxs", ".nd2", ".ndpi"),
    *(".oib", ".oif", ".oir", ".pgm", ".ppm", ".psd", ".scn", ".svs", ".tga", ".vsi", ".webp", ".zvi"),
)
_SECTION_WORDS = {"train": "training", "val": "validation", "tun": "test", "test": "test"}


def top_folder(raw: Path) -> Path:
    """Return the folder where the data begin, skipping outer folders that contain only a single folder."""
    while True:
        inner = subfolders(raw)
        if len(inner) != 1 or inner[0].name.lower() in _LAYOUT_FOLDERS or images_in(raw):
            return raw
        raw = inner[0]


def subfolders(folder: Path) -> list[Path]:
    """Return the subfolders of a folder, sorted by name, except hidden ones and those that macOS adds to archives."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_rubbish(path))


def subfolder(folder: Path, *names: str) -> Path | None:
    """Return the subfolder with the first of these names that exists, ignoring case; None if there is none."""
    by_name = {path.name.lower(): path for path in subfolders(folder)}
    return next((by_name[name] for name in names if name in by_name), None)


def images_in(folder: Path) -> list[Path]:
    """Return the files in a folder that `cellseg_monai.io` can read, judging by their suffix, sorted by name."""
    suffixes = readable_suffixes()
    return sorted(path for path in _files(folder) if path.suffix.lower() in suffixes)


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with these suffixes, ignoring case, in a folder and all its subfolders, sorted by path."""
    paths = [path for path in _files(folder) if path.suffix.lower() in suffixes]
    for inner in subfolders(folder):
        paths += files_below(inner, suffixes)
    return sorted(paths)


def unknown_images(raw: Path) -> list[Fault]:
    """Return a warning for each image in a raw folder that is ignored because its format is not supported."""
    known = readable_suffixes()
    message = "ignored, because this image format is not supported; export the image as TIFF"
    paths = files_below(raw, tuple(suffix for suffix in _OTHER_IMAGES if suffix not in known))
    return [Fault(place_of(path, raw), "unknown-format", message, "warning") for path in paths]


def suffix_of(path: Path) -> str:
    """Return the suffix that `image_stem` removes, in its original case.

    >>> suffix_of(Path("a.b.OME.TIFF")), suffix_of(Path("a.b.TIFF"))
    ('.OME.TIFF', '.TIFF')
    """
    return path.name[len(image_stem(path)) :]


def section_named(name: str) -> str | None:
    """Return the section that the name of a folder or list indicates; None if it indicates none or several.

    "Tuning", CellSeg's name for its public evaluation images, indicates the test section.

    >>> section_named("Training-labeled"), section_named("spilit_x_image_validate"), section_named("stage1_test")
    ('training', 'validation', 'test')
    >>> section_named("contrast") is None
    True
    """
    words = re.findall(r"[a-z]+", name.lower())
    sections = {section for word in words for start, section in _SECTION_WORDS.items() if word.startswith(start)}
    return sections.pop() if len(sections) == 1 else None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file() and not _is_rubbish(path))


def _is_rubbish(path: Path) -> bool:
    return path.name.startswith(".") or path.name == _RUBBISH
