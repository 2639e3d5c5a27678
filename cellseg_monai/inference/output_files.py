"""The files of results: none may replace a file that is already there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from cellseg_monai.exports import EXPORTS, place_name
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.io import image_stem, open_image

__all__ = ["check_output_files"]

_PLACE = re.compile(r"_[TPZ]\d{3,}$")  # what `place_name` appends for one axis


def check_output_files(
    output: Path,
    images: Sequence[ImageFile],
    exports: Sequence[str],
    *,
    axes: str | None = None,
    may_replace: Callable[[ImageFile, Path], bool] = lambda image, target: False,
) -> None:
    """Refuse an output in which results would replace something, before anything is written.

    Args:
        output: the folder for the results.
        images: all that will be segmented.
        exports: names of `exports.EXPORTS`.
        axes: axes of the images, where the files do not state them; see `io.open_image`.
        may_replace: returns True for an image and a file that an earlier attempt at this image wrote.

    Raises:
        FileExistsError: results would have the name of an image, of an existing file, or of other results.
    """
    inputs = {image.path.resolve() for image in images}
    whose: dict[str, ImageFile] = {}
    parted = _maybe_parted(output, images, exports)
    for image in images:
        for target in _targets(output, image, exports, axes, parted=image.key.lower() in parted):
            if target.resolve() in inputs:
                raise FileExistsError(f"{target} is an image, and results would replace it; choose another --output")
            if target.exists() and not may_replace(image, target):
                raise FileExistsError(
                    f"{target} already exists, and results would replace it; choose another --output, or move the file"
                )
            if (other := whose.setdefault(str(target).lower(), image)) is not image:
                raise FileExistsError(
                    f"{other.path} and {image.path} would both write {target}; rename one, or segment them into "
                    "different folders"
                )


def _maybe_parted(output: Path, images: Sequence[ImageFile], exports: Sequence[str]) -> Collection[str]:
    """Return the keys, in lower case, of images that may write files for single planes that clash with other files.

    These files are named like "stack_Z000_overlay.png". Only images with such a key have to be opened to know their
    names.
    """
    suffixes = tuple(EXPORTS[name].suffix for name in exports if EXPORTS[name].axes != "TPZ")
    if not suffixes:
        return ()
    stems = [image.key for image in images]
    for below in {image.below for image in images}:
        existing = (output / below).iterdir() if (output / below).is_dir() else ()
        stems += [
            (below / path.name.removesuffix(suffix)).as_posix()
            for path in existing
            for suffix in suffixes
            if path.name.endswith(suffix)
        ]
    keys = set()
    for stem in stems:
        while place := _PLACE.search(stem):
            stem = stem[: place.start()]
            keys.add(stem.lower())
    return keys


def _targets(
    output: Path, image: ImageFile, exports: Sequence[str], axes: str | None, *, parted: bool
) -> Iterator[Path]:
    """Return the files of an image; with `parted`, formats for single planes have one file for each plane."""
    lengths = _stack_axes(image, axes) if parted else {}
    for name in exports:
        along = {axis: length for axis, length in lengths.items() if axis not in EXPORTS[name].axes}
        for at in itertools.product(*map(range, along.values())):
            stem = image_stem(place_name(image.path.name, dict(zip(along, at, strict=True))))
            yield output / image.below / f"{stem}{EXPORTS[name].suffix}"


def _stack_axes(image: ImageFile, axes: str | None) -> dict[str, int]:
    """Return the lengths of the axes before C, Y and X; none if the image cannot be read, since it will fail anyway."""
    try:
        with open_image(image.path, axes=axes) as opened:
            return dict(zip(opened.axes[:-3], opened.shape[:-3], strict=True))
    except (ValueError, OSError):
        return {}
