"""Layout for images without labels, to be segmented or used for pretraining."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import files_below, top_folder
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import image_stem, readable_suffixes
from cellseg_monai.io.image_sets import one_per_image

__all__ = ["IMAGES_ONLY"]


def _find(raw: Path) -> RawContent:
    top = top_folder(raw)
    content = RawContent([])
    by_stem: dict[str, list[Path]] = {}
    for path in one_per_image((path, path) for path in files_below(top, readable_suffixes())):
        name = path.relative_to(top).with_name(image_stem(path)).as_posix().replace("/", "_")
        by_stem.setdefault(name.removeprefix("images_"), []).append(path)
    for stem, paths in by_stem.items():
        if len(paths) == 1:
            content.works.append(Work(stem, paths[0]))
            continue
        for path in paths:
            message = f"{len(paths)} files would become the image {stem!r}; rename the files, or keep only one"
            content.faults.append(Fault(place_of(path, raw), "repeated-stem", message))
    return content


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    raise NotImplementedError(f"{work.image}: images in this layout have no labels")


IMAGES_ONLY = Preparer(
    name="images_only",
    summary="images in any subfolders, without labels; never detected automatically, as labels might be overlooked",
    rule="All images go to the test section, which does not need labels.",
    recognises=lambda raw: False,
    find=_find,
    labels=_labels,
)
