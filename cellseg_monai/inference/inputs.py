"""Finding the images to segment, given as files, folders, patterns, OME-Zarr, or a list on standard input.

One bad input among a thousand should not stop a run. A missing input is therefore treated like an image that fails: the
others are segmented, and the missing input is reported at the end. A wrong flag, or an output folder that is in use,
would affect every image, so it ends the command immediately.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cellseg_monai.digest import files_digest, image_digest
from cellseg_monai.inference.patterns import expand, is_pattern
from cellseg_monai.io import image_files, image_stem, readable_suffixes
from cellseg_monai.io.image_sets import one_per_image

__all__ = ["ImageFile", "find_images"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFile:
    """An image to segment.

    Args:
        path: path of the image file or of the OME-Zarr folder.
        below: subfolder of the output folder for the results. If a pattern matched the image, it is the image's folder
            relative to the part of the pattern before the first wildcard; otherwise it is empty.
        choices: for each plane, how an earlier run chose bundle and scale, to repeat this; see `Pipeline.choice`. Empty
            to let the pipeline choose.
    """

    path: Path
    below: Path = Path()
    choices: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    @property
    def key(self) -> str:
        """Subfolder and stem of the result files, which identify the image in a run."""
        return (self.below / image_stem(self.path)).as_posix()

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file or folder, or of all files that make up the image, computed on first use.

        See `digest.image_digest`.
        """
        files = image_files(self.path)
        return image_digest(self.path) if len(files) == 1 else files_digest(self.path.parent, files)


def find_images(
    inputs: Sequence[str], *, output: Path | None = None, results: Collection[Path] = ()
) -> tuple[list[ImageFile], list[str]]:
    """Find the images that the inputs stand for, without duplicates, and report inputs that cannot be used.

    Args:
        inputs: image files, folders, patterns such as `plates/**/*.tif`, or "-" to read more inputs from standard
            input, one per line. A folder stands for the readable images directly in it. For a pattern, the output keeps
            the folder structure from the first wildcard onwards. A name that exists is never a pattern.
        output: folder for the results. Images in it are left out, unless an input is the image file itself, or a folder
            or pattern that lies within the output folder.
        results: absolute paths that are never treated as images, from `results_in`.

    Returns:
        The images, sorted within each input, and a list of messages. There is a message for each input that does not
        exist or contains no image. There is also one for each group of images that would have the same result files;
        all images in the group are left out.

    Raises:
        ValueError: there are no inputs, or the list on standard input is empty.
    """
    images_by_path: dict[Path, ImageFile] = {}
    faults, passed = [], []
    for name in inputs:
        # PowerShell writes a byte order mark at the start of the list.
        names = sys.stdin.read().removeprefix("\ufeff").splitlines() if name == "-" else [name]
        for text in filter(None, map(str.strip, names)):
            try:
                searched, images = _search(text)
            except OSError as error:
                faults.append(f"{error.filename or text}: {error.strerror}")
                continue
            kept = [image for image in images if not _is_one_of(image.path, results)]
            if output is not None and searched is not None and not _lies_in(Path(os.path.realpath(searched)), output):
                passed += [image.path for image in kept if _lies_in(_place(image.path), output)]
                kept = [image for image in kept if not _lies_in(_place(image.path), output)]
            if not kept and (searched is not None or not images):
                faults.append(f"{text}: {f'all images are in the output, {output}' if images else _missing(text)}")
            for image in kept:
                images_by_path.setdefault(image.path.absolute(), image)
    if passed:
        logger.warning(
            f"left out {len(passed)} image(s) in the output folder {output}, for example {passed[0]}, because they "
            "could be results; to segment them too, pass their folder as an input, or choose another --output"
        )
    if not images_by_path and not faults:
        raise ValueError(
            "got no images; pass image files, folders or patterns, or - to read a list from standard input"
        )
    all_images = one_per_image((image.path, image) for image in images_by_path.values())
    clashes = _clashes(all_images)
    faults += [
        f"{' and '.join(str(image.path) for image in images)} would have the same result files; rename one, or segment "
        "them into different folders"
        for images in clashes
    ]
    left_out = {image for images in clashes for image in images}
    return [image for image in all_images if image not in left_out], faults


def _search(text: str) -> tuple[Path | None, list[ImageFile]]:
    """Return the images that an input names, and the folder that was searched, or None if the input is an image."""
    path = Path(text)
    if path.is_file() or (path.suffix.lower() == ".zarr" and path.is_dir()):
        return None, [ImageFile(path)]
    if path.is_dir():
        return path, [ImageFile(file) for file in sorted(path.iterdir()) if _is_image(file)]
    if is_pattern(text):
        fixed, matches, circles = expand(text)
        for link in circles:
            target = f"back to {os.path.realpath(link)}" if link.exists() else "to itself"
            logger.warning(f"{link} is a link that leads {target}, so it was not followed")
        return fixed, [ImageFile(match, match.parent.relative_to(fixed)) for match in matches if _is_image(match)]
    return None, []


def _place(path: Path) -> Path:
    """Return the absolute path of a file; for a symbolic link, the path of the link rather than of its target."""
    return Path(os.path.realpath(path.parent)) / path.name


def _lies_in(place: Path, folder: Path) -> bool:
    return place.is_relative_to(os.path.realpath(folder))


def _is_one_of(path: Path, results: Collection[Path]) -> bool:
    """Return True if a path is one of the results, or lies in a result that is a folder, such as an OME-Zarr."""
    place = _place(path)
    return any(folder in results for folder in (place, *place.parents))


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    is_there = path.is_file() or path.suffix.lower() == ".zarr"
    leads_nowhere = path.is_symlink() and not path.exists()  # a broken link is kept so that it is reported
    return path.suffix.lower() in readable_suffixes() and (is_there or leads_nowhere)


def _missing(text: str) -> str:
    if Path(text).is_dir():
        return f"the folder contains no images; readable suffixes are {' '.join(readable_suffixes())}"
    if is_pattern(text):
        return "the pattern matches no images"
    return "the link leads nowhere" if Path(text).is_symlink() else "there is no such file or folder"


def _clashes(images: list[ImageFile]) -> list[list[ImageFile]]:
    by_key: dict[str, list[ImageFile]] = {}
    for image in images:
        by_key.setdefault(image.key.lower(), []).append(image)
    return [same for same in by_key.values() if len(same) > 1]
