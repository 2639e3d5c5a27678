"""The images that a command names: files, folders, patterns, OME-Zarr, or a list on standard input.

An input that does not exist is handled like an image that fails: the others are segmented, and it is reported at the
end, because it can be one of a thousand. A wrong flag, or an output that is in use, ends the command immediately,
because it would spoil all of them.
"""

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
        below: its folder, relative to the one that was named; its results have the same folder in the output.
    """

    path: Path
    below: Path = Path()

    @property
    def key(self) -> str:
        """Folder and stem of its results."""
        return (self.below / image_stem(self.path)).as_posix()

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its file or folder, at the time of first use; see `digest.image_digest`."""
        return image_digest(self.path)


def find_images(
    inputs: Sequence[str], *, output: Path | None = None, results: Collection[Path] = ()
) -> tuple[list[ImageFile], list[str]]:
    """Find every image that is named, each once, and what is wrong with the other inputs.

    Args:
        inputs: files; folders, of which all readable images are taken, but not those in subfolders; patterns such as
            `plates/**/*.tif`, whose folders from the first pattern on are kept in the output; "-" for paths on
            standard input, one a line.
        output: the folder for the results. Files in it are left out, unless the file itself, or a searched folder that
            lies in the output too, is named.
        results: full paths that are never images, as `results_in` returns them.

    Returns:
        The images, sorted within each input; and a message for each input that does not exist or holds no image, and
        for images that would have the same results, which are all left out.

    Raises:
        ValueError: nothing was named, or the list on standard input is empty.
    """
    images_by_path: dict[Path, ImageFile] = {}
    faults, passed = [], []
    for name in inputs:
        # PowerShell begins a list with a byte order mark.
        names = sys.stdin.read().removeprefix("\ufeff").splitlines() if name == "-" else [name]
        for text in filter(None, map(str.strip, names)):
            try:
                searched, images = _search(text)
            except OSError as error:
                faults.append(f"{error.filename or text}: {error.strerror}")
                continue
            kept = [image for image in images if not _is_one_of(image.path, results)]
            if output is not None and searched is not None and not _lies_in(searched.resolve(), output):
                passed += [image.path for image in kept if _lies_in(_place(image.path), output)]
                kept = [image for image in kept if not _lies_in(_place(image.path), output)]
            if not kept and (searched is not None or not images):
                faults.append(f"{text}: {f'all its images are in the output, {output}' if images else _missing(text)}")
            for image in kept:
                images_by_path.setdefault(image.path.absolute(), image)
    if passed:
        logger.warning(
            f"{len(passed)} image(s) in {output}, such as {passed[0]}, are left out, as if they were results; to "
            "segment them, name their folder too, or choose another --output"
        )
    if not images_by_path and not faults:
        raise ValueError("got no images, expected a file, a folder or a pattern; name one, or - for a list")
    clashes = _clashes(list(images_by_path.values()))
    faults += [
        f"{' and '.join(str(image.path) for image in images)} would have the same results; rename one, or segment them "
        "into different folders"
        for images in clashes
    ]
    left_out = {image for images in clashes for image in images}
    return [image for image in images_by_path.values() if image not in left_out], faults


def _search(text: str) -> tuple[Path | None, list[ImageFile]]:
    """Return the folder that is searched, None for an image that is named itself; and the images."""
    path = Path(text)
    if path.is_file() or (path.suffix.lower() == ".zarr" and path.is_dir()):
        return None, [ImageFile(path)]
    if path.is_dir():
        return path, [ImageFile(file) for file in sorted(path.iterdir()) if _is_image(file)]
    if _PATTERN & set(text):
        parts = path.parts
        fixed = Path(*parts[: next(i for i, part in enumerate(parts) if _PATTERN & set(part))])
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True))
        return fixed, [ImageFile(match, match.parent.relative_to(fixed)) for match in matches if _is_image(match)]
    return None, []


def _place(path: Path) -> Path:
    """Return the full path of a file; for a link its own, not that of its target."""
    return path.parent.resolve() / path.name


def _lies_in(place: Path, folder: Path) -> bool:
    return place.is_relative_to(folder.resolve())


def _is_one_of(path: Path, results: Collection[Path]) -> bool:
    """Return True if a path is one of the results, or lies in a folder that is one."""
    place = _place(path)
    return any(folder in results for folder in (place, *place.parents))


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    is_there = path.is_file() or path.suffix.lower() == ".zarr"
    leads_nowhere = path.is_symlink() and not path.exists()  # kept, so that it is reported rather than skipped
    return path.suffix.lower() in readable_suffixes() and (is_there or leads_nowhere)


def _missing(text: str) -> str:
    if Path(text).is_dir():
        return f"the folder holds no image; readable suffixes are {' '.join(readable_suffixes())}"
    return "the pattern matches no image" if _PATTERN & set(text) else "there is no such file or folder"


def _clashes(images: list[ImageFile]) -> list[list[ImageFile]]:
    by_key: dict[str, list[ImageFile]] = {}
    for image in images:
        by_key.setdefault(image.key.lower(), []).append(image)
    return [same for same in by_key.values() if len(same) > 1]
