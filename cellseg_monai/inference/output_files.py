"""Where results go: nothing that lies there is lost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from cellseg_monai.exports import EXPORTS, place_name
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.io import image_stem, open_image

__all__ = ["check_output_files"]

_PLACE = re.compile(r"_[TPZ]\d{3,}$")  # as `place_name` writes it, of one axis


def check_output_files(
    output: Path,
    images: Sequence[ImageFile],
    exports: Sequence[str],
    *,
    axes: str | None = None,
    may_replace: Callable[[ImageFile, Path], bool] = lambda image, target: False,
) -> None:
    """Refuse an output in which results would replace something, before anything is done.

    Args:
        output: the folder for the results.
        images: all that will be segmented.
        exports: names of `exports.EXPORTS`.
        axes: as for `open_image`.
        may_replace: whether a file that is there comes of an earlier attempt at this image.

    Raises:
        FileExistsError: results would have the name of an image, of a file that is there, or of other results.
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
                    f"{target} is there already, and results would replace it; choose another --output, or move it away"
                )
            if (other := whose.setdefault(str(target).lower(), image)) is not image:
                raise FileExistsError(
                    f"{other.path} and {image.path} would both have {target}; rename one, or segment them into "
                    "different folders"
                )


def _maybe_parted(output: Path, images: Sequence[ImageFile], exports: Sequence[str]) -> Collection[str]:
    """Keys, in lower case, of stacks for the files of whose planes something has the name.

    Only those have to be opened to know these files.
    """
    suffixes = tuple(EXPORTS[name].suffix for name in exports if EXPORTS[name].axes != "TPZ")
    if not suffixes:
        return ()
    stems = [image.key for image in images]
    for below in {image.below for image in images}:
        there = (output / below).iterdir() if (output / below).is_dir() else ()
        stems += [
            (below / path.name.removesuffix(suffix)).as_posix()
            for path in there
            for suffix in suffixes
            if path.name.endswith(suffix)
        ]
    found = set()
    for stem in stems:
        while place := _PLACE.search(stem):
            stem = stem[: place.start()]
            found.add(stem.lower())
    return found


def _targets(
    output: Path, image: ImageFile, exports: Sequence[str], axes: str | None, *, parted: bool
) -> Iterator[Path]:
    """The files of an image; of those that hold no stack, one a plane, if the image is looked into."""
    lengths = _stack(image, axes) if parted else {}
    for name in exports:
        along = {axis: length for axis, length in lengths.items() if axis not in EXPORTS[name].axes}
        for at in itertools.product(*map(range, along.values())):
            stem = image_stem(place_name(image.path.name, dict(zip(along, at, strict=True))))
            yield output / image.below / f"{stem}{EXPORTS[name].suffix}"


def _stack(image: ImageFile, axes: str | None) -> dict[str, int]:
    """The axes of an image before C, Y, X, and their lengths; none of one that will fail."""
    try:
        with open_image(image.path, axes=axes) as opened:
            return dict(zip(opened.axes[:-3], opened.shape[:-3], strict=True))
    except (ValueError, OSError):
        return {}
