"""Functions to navigate a raw folder, which can be wrapped in other folders and contain files of the system."""

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
"""Sections by precedence: an image in several belongs to the first, so that no image to score is trained on."""

_RUBBISH = "__MACOSX"
_LAYOUT_FOLDERS = ("images", "masks", "labels")
_OTHER_IMAGES = (
    *(".avif", ".czi", ".dv", ".gif", ".heic", ".ims", ".jp2", ".jpf", ".lif", ".mrxs", ".nd2", ".ndpi"),
    *(".oib", ".oif", ".oir", ".pgm", ".ppm", ".psd", ".scn", ".svs", ".tga", ".vsi", ".webp", ".zvi"),
)
_SECTION_WORDS = {"train": "training", "val": "validation", "tun": "test", "test": "test"}


def top_folder(raw: Path) -> Path:
    """Return the folder in which the data begin, as an archive often contains a single folder with everything in it."""
    while True:
        inner = subfolders(raw)
        if len(inner) != 1 or inner[0].name.lower() in _LAYOUT_FOLDERS or images_in(raw):
            return raw
        raw = inner[0]


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name, without hidden ones and those that macOS adds to archives."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_rubbish(path))


def subfolder(folder: Path, *names: str) -> Path | None:
    """Return the first of these folders that exists, ignoring the case of its name; None if there is none."""
    by_name = {path.name.lower(): path for path in subfolders(folder)}
    return next((by_name[name] for name in names if name in by_name), None)


def images_in(folder: Path) -> list[Path]:
    """Return the files of a folder whose suffix `cellseg_monai.io` can read, in any case, sorted by name."""
    suffixes = readable_suffixes()
    return sorted(path for path in _files(folder) if path.suffix.lower() in suffixes)


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with these suffixes, in any case, in a folder and all folders below it, sorted."""
    paths = [path for path in _files(folder) if path.suffix.lower() in suffixes]
    for inner in subfolders(folder):
        paths += files_below(inner, suffixes)
    return sorted(paths)


def unknown_images(raw: Path) -> list[Fault]:
    """Return a warning for each image in a raw folder that is ignored because its format cannot be read."""
    known = readable_suffixes()
    message = "ignored, as this image format cannot be read; export it as TIFF"
    paths = files_below(raw, tuple(suffix for suffix in _OTHER_IMAGES if suffix not in known))
    return [Fault(place_of(path, raw), "unknown-format", message, "warning") for path in paths]


def suffix_of(path: Path) -> str:
    """Return the suffix that `image_stem` removes, in its original spelling.

    >>> suffix_of(Path("a.b.OME.TIFF")), suffix_of(Path("a.b.TIFF"))
    ('.OME.TIFF', '.TIFF')
    """
    return path.name[len(image_stem(path)) :]


def section_named(name: str) -> str | None:
    """Return the section that the name of a folder or list indicates; None if it indicates none, or several.

    "Tuning", the name of CellSeg's public images for scores, indicates a test set.

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
