"""The images that a command names: files, folders, patterns, OME-Zarr, or a list on standard input."""

from __future__ import annotations

import glob
import logging
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cellseg_monai.digest import image_digest
from cellseg_monai.io import image_stem, readable_suffixes

__all__ = ["ImageFile", "find_images"]

logger = logging.getLogger(__name__)

_PATTERN = set("*?[")


@dataclass(frozen=True)
class ImageFile:
    """An image to segment.

    Args:
        path: of the file, or of the folder of an OME-Zarr.
        below: its folder below the one that was named, where its results go below the output.
    """

    path: Path
    below: Path = Path()

    @property
    def key(self) -> str:
        """What its results are called: folder and stem."""
        return (self.below / image_stem(self.path)).as_posix()

    @cached_property
    def sha256(self) -> str:
        """Of its file or folder, when it was first asked for; see `data.digest.image_digest`."""
        return image_digest(self.path)


def find_images(
    inputs: Sequence[str], *, output: Path | None = None, results: Collection[Path] = ()
) -> tuple[list[ImageFile], list[str]]:
    """Every image that is named, sorted within what names it, each once; and what is wrong with the others.

    Args:
        inputs: files; folders, of which all readable images are taken, not those in folders below; patterns such as
            `plates/**/*.tif`, whose folders from the first pattern on are kept below the output; "-" for paths on
            standard input, a line each.
        output: the folder for the results: what lies in it is no image to segment, unless it, or the folder that is
            searched, is named itself and lies there too.
        results: what is none in any case, as `results_in` gives it.

    Returns:
        The images, and a fault for each input that is not there or holds none, and for images that would have the same
        results, all of which are left out.

    Raises:
        ValueError: nothing was named, also by an empty list.
    """
    found: dict[Path, ImageFile] = {}
    faults, passed = [], []
    for given in inputs:
        # PowerShell begins a list by a mark.
        named = sys.stdin.read().removeprefix("\ufeff").splitlines() if given == "-" else [given]
        for text in filter(None, map(str.strip, named)):
            try:
                searched, images = _named(text)
            except OSError as error:
                faults.append(f"{error.filename or text}: {error.strerror}")
                continue
            kept = [image for image in images if not _is_one_of(image.path, results)]
            if output is not None and searched is not None and not _lies_in(searched.resolve(), output):
                passed += [image.path for image in kept if _lies_in(_place(image.path), output)]
                kept = [image for image in kept if not _lies_in(_place(image.path), output)]
            if not kept and (searched is not None or not images):
                faults.append(f"{text}: {_missing(text)}{f', but what lies in {output}' if images else ''}")
            for image in kept:
                found.setdefault(image.path.absolute(), image)
    if passed:
        logger.warning(
            f"{len(passed)} image(s) in {output}, such as {passed[0]}, are left out, as if they were results; to "
            "segment them, name their folder too, or choose another --output"
        )
    if not found and not faults:
        raise ValueError("no images came, but a file, a folder or a pattern was expected; name one, or - for a list")
    clashes = _clashes(list(found.values()))
    faults += [
        f"{' and '.join(str(image.path) for image in images)} would have the same results; rename one, or segment them "
        "into different folders"
        for images in clashes
    ]
    left_out = {image for images in clashes for image in images}
    return [image for image in found.values() if image not in left_out], faults


def _named(text: str) -> tuple[Path | None, list[ImageFile]]:
    """The folder that is searched, None for an image that is named itself; and the images."""
    path = Path(text)
    if path.is_file() or (path.suffix.lower() == ".zarr" and path.is_dir()):
        return None, [ImageFile(path)]
    if path.is_dir():
        return path, [ImageFile(each) for each in sorted(path.iterdir()) if _is_image(each)]
    if _PATTERN & set(text):
        parts = path.parts
        fixed = Path(*parts[: next(i for i, part in enumerate(parts) if _PATTERN & set(part))])
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True))
        return fixed, [ImageFile(each, each.parent.relative_to(fixed)) for each in matches if _is_image(each)]
    return None, []


def _place(path: Path) -> Path:
    """Where a file lies, in full; a link lies where it is, not where it leads."""
    return path.parent.resolve() / path.name


def _lies_in(place: Path, folder: Path) -> bool:
    return place.is_relative_to(folder.resolve())


def _is_one_of(path: Path, results: Collection[Path]) -> bool:
    """Whether it is one of these, or a file of a folder that is one."""
    place = _place(path)
    return any(each in results for each in (place, *place.parents))


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    is_there = path.is_file() or path.suffix.lower() == ".zarr"
    leads_nowhere = path.is_symlink() and not path.exists()  # kept, so that it is told and not passed over
    return path.suffix.lower() in readable_suffixes() and (is_there or leads_nowhere)


def _missing(text: str) -> str:
    if Path(text).is_dir():
        return f"the folder holds no image; known are {' '.join(readable_suffixes())}"
    return "the pattern matches no image" if _PATTERN & set(text) else "there is no such file or folder"


def _clashes(images: list[ImageFile]) -> list[list[ImageFile]]:
    by_key: dict[str, list[ImageFile]] = {}
    for image in images:
        by_key.setdefault(image.key.lower(), []).append(image)
    return [alike for alike in by_key.values() if len(alike) > 1]
