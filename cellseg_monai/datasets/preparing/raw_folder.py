"""Finding one's way in a raw folder: what archives wrap around it, what systems leave in it."""

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
"""The sections in the order in which they have an image that several claim: nothing is trained on that is scored."""

_RUBBISH = "__MACOSX"
_LAYOUT_FOLDERS = ("images", "masks", "labels")
_OTHER_IMAGES = (
    *(".avif", ".czi", ".dv", ".gif", ".heic", ".ims", ".jp2", ".jpf", ".lif", ".mrxs", ".nd2", ".ndpi"),
    *(".oib", ".oif", ".oir", ".pgm", ".ppm", ".psd", ".scn", ".svs", ".tga", ".vsi", ".webp", ".zvi"),
)
_SECTION_WORDS = {"train": "training", "val": "validation", "tun": "test", "test": "test"}


def top_folder(raw: Path) -> Path:
    """The folder where the data begin: an archive often holds one folder that holds everything."""
    while True:
        inner = subfolders(raw)
        if len(inner) != 1 or inner[0].name.lower() in _LAYOUT_FOLDERS or images_in(raw):
            return raw
        raw = inner[0]


def subfolders(folder: Path) -> list[Path]:
    """The folders within, sorted by name; without hidden ones and those that macOS adds to archives."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_rubbish(path))


def subfolder(folder: Path, *names: str) -> Path | None:
    """The first of these folders that there is, whatever the case of its name."""
    by_name = {path.name.lower(): path for path in subfolders(folder)}
    return next((by_name[name] for name in names if name in by_name), None)


def images_in(folder: Path) -> list[Path]:
    """The files of a folder that `cellseg_monai.io` knows by their suffix in any case, sorted by name."""
    suffixes = readable_suffixes()
    return sorted(path for path in _files(folder) if path.suffix.lower() in suffixes)


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files with these suffixes, in any case, in a folder and all below it, sorted."""
    found = [path for path in _files(folder) if path.suffix.lower() in suffixes]
    for inner in subfolders(folder):
        found += files_below(inner, suffixes)
    return sorted(found)


def unknown_images(raw: Path) -> list[Fault]:
    """Warnings of images in a raw folder that are of formats which nobody here reads, and so are passed over."""
    known = readable_suffixes()
    message = "images of this format cannot be read here, and it is passed over; export it as TIFF"
    paths = files_below(raw, tuple(suffix for suffix in _OTHER_IMAGES if suffix not in known))
    return [Fault(place_of(path, raw), "unknown-format", message, "warning") for path in paths]


def suffix_of(path: Path) -> str:
    """The suffix that `image_stem` leaves away, as it is spelt.

    >>> suffix_of(Path("a.b.OME.TIFF")), suffix_of(Path("a.b.TIFF"))
    ('.OME.TIFF', '.TIFF')
    """
    return path.name[len(image_stem(path)) :]


def section_named(name: str) -> str | None:
    """The section that the name of a folder or list speaks of.

    "Tuning", CellSeg's public images to be scored on, is a test set.

    >>> section_named("Training-labeled"), section_named("spilit_x_image_validate"), section_named("stage1_test")
    ('training', 'validation', 'test')
    >>> section_named("contrast") is None
    True
    """
    words = re.findall(r"[a-z]+", name.lower())
    found = {section for word in words for start, section in _SECTION_WORDS.items() if word.startswith(start)}
    return found.pop() if len(found) == 1 else None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file() and not _is_rubbish(path))


def _is_rubbish(path: Path) -> bool:
    return path.name.startswith(".") or path.name == _RUBBISH
