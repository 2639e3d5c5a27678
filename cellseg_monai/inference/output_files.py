"""Checks that no result file would replace an existing file or another result."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from cellseg_monai.exports import EXPORTS, place_name
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.io import image_stem, open_image

__all__ = ["check_output_files"]

_PLACE = re.compile(r"_[TPZ]\d{3,}$")  # the suffix that `place_name` appends for one axis


def check_output_files(
    output: Path,
    images: Sequence[ImageFile],
    exports: Sequence[str],
    *,
    axes: str | None = None,
    may_replace: Callable[[ImageFile, Path], bool] = lambda image, target: False,
) -> None:
    """Check, before anything is written, that results would not replace any file.

    Args:
        output: folder for the results.
        images: the images that will be segmented.
        exports: names of the exports to write, from `exports.EXPORTS`.
        axes: axes of the images, if the files do not state them; see `io.open_image`.
        may_replace: called with an image and an existing file; returns True if an earlier attempt at segmenting the
            image wrote that file.

    Raises:
        ValueError: a folder for results is a link that leads out of the output.
        FileExistsError: a result would have the same path as an image, an existing file, or another image's result.
    """
    for below in {image.below for image in images}:
        # Unlike Path.resolve, realpath does not fail on circular links.
        if not Path(os.path.realpath(output / below)).is_relative_to(os.path.realpath(output)):
            raise ValueError(f"{output / below} lies outside the output; choose another --output, or remove the link")
    inputs = {os.path.realpath(image.path) for image in images}
    whose: dict[str, ImageFile] = {}
    parted = _maybe_parted(output, images, exports)
    for image in images:
        for target in _targets(output, image, exports, axes, parted=image.key.lower() in parted):
            if os.path.realpath(target) in inputs:
                raise FileExistsError(f"{target} is an input, and a result would replace it; choose another --output")
            if os.path.lexists(target) and not may_replace(image, target):
                raise FileExistsError(
                    f"{target} already exists, and a result would replace it; choose another --output, or move the file"
                )
            if (other := whose.setdefault(str(target).lower(), image)) is not image:
                raise FileExistsError(
                    f"{other.path} and {image.path} would both produce {target}; rename one, or segment them into "
                    "different folders"
                )


def _maybe_parted(output: Path, images: Sequence[ImageFile], exports: Sequence[str]) -> Collection[str]:
    """Return the lower-case keys of images whose files for single planes might clash with other files.

    The overlay of a single plane, for example, is named "stack_Z000_overlay.png". The number of these files is known
    only after the image is opened. Opening it is necessary only if the name of another image, or of an existing file,
    looks like the name of one of its planes.
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
    """Yield the result files of an image.

    With `parted`, the image is opened so that formats for single planes are listed with one file per plane.
    """
    lengths = _stack_axes(image, axes) if parted else {}
    for name in exports:
        along = {axis: length for axis, length in lengths.items() if axis not in EXPORTS[name].axes}
        for at in itertools.product(*map(range, along.values())):
            stem = image_stem(place_name(image.path.name, dict(zip(along, at, strict=True))))
            yield output / image.below / f"{stem}{EXPORTS[name].suffix}"


def _stack_axes(image: ImageFile, axes: str | None) -> dict[str, int]:
    """Return the lengths of the axes before C, Y and X; empty for an unreadable image, which will fail in the run."""
    try:
        with open_image(image.path, axes=axes) as opened:
            return dict(zip(opened.axes[:-3], opened.shape[:-3], strict=True))
    except (ValueError, OSError):
        return {}
