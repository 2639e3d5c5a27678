"""Images without labels, from which an encoder can learn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cellseg_monai.data.datalist import load_datalist
from cellseg_monai.data.image_faults import reason_of, stack_fault
from cellseg_monai.data.items import image_items, is_dataset
from cellseg_monai.data.split import Item
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.faults import Fault, dataset_error, place_of
from cellseg_monai.io import read

__all__ = ["check_readable", "unlabelled_items"]

_UNLABELLED = "unlabelled"
"""Folder of a data set in which `cellseg data prepare` puts images without labels."""

_HELD_OUT, _FEWEST = 0.1, 2
"""Share of the images that are set aside, and their smallest number: with one, nothing could be told apart."""


def unlabelled_items(
    dataset_dir: str | Path, section: str, datalist: str | Path | None = None, seed: int = 0
) -> list[Item]:
    """Return the images of a section for training without labels.

    Labels are neither needed nor used. Of a data set, these are its images for training and validation, those in its
    folder `unlabelled`, and the images for testing that have no label; those that have one are kept for scores. Of a
    plain folder, these are all images. A tenth of the images, at least two, is set aside for validation, unless the
    data set has images for it. Images of one group stay together.

    Args:
        dataset_dir: folder of a data set, or any folder with images.
        section: "training" or "validation".
        datalist: a JSON file to use instead of the data set's own list.
        seed: seed for the choice of the images to set aside.

    Returns:
        Items with absolute paths; the other section has none of their images.

    Raises:
        DatasetError: there are too few images, or the folder is the `images` of a data set.
        ValueError: there is no section with this name.
    """
    if section not in ("training", "validation"):
        raise ValueError(f"got section={section!r}, expected training or validation; choose one")
    dataset = Path(os.path.abspath(dataset_dir))
    held_out: list[Item] = []
    if datalist is None and not is_dataset(dataset):
        if dataset.name == "images" and is_dataset(dataset.parent):
            raise DatasetError(
                f"{dataset}: this folder belongs to a data set, whose images for testing must be left out; pass "
                f"{dataset.parent}"
            )
        pool = image_items(dataset, "all")
    else:
        sections = load_datalist(dataset, datalist, seed=seed)
        pool = [*sections["training"], *(item for item in sections["test"] if "label" not in item)]
        if datalist is None and (dataset / _UNLABELLED).is_dir():
            pool += image_items(dataset / _UNLABELLED, "all")
        held_out = sections["validation"]
    if not held_out:
        pool, held_out = _divided(pool, seed)
    if not pool or not held_out:
        raise DatasetError(
            f"{dataset}: got {len(pool)} image(s) to train on and {len(held_out)} to set aside, expected some of both; "
            "add images, or groups of images"
        )
    return [{**item} for item in (pool if section == "training" else held_out)]


def _divided(items: list[Item], seed: int) -> tuple[list[Item], list[Item]]:
    """Set whole groups aside, until they have a tenth of the images and at least two; one group always stays."""
    groups = sorted({str(item["group"]) for item in items})
    order = np.random.default_rng(seed).permutation(len(groups))
    wanted, held_out = max(_FEWEST, round(_HELD_OUT * len(items))), set[str]()
    for number in order[:-1].tolist():
        if sum(item["group"] in held_out for item in items) >= wanted:
            break
        held_out.add(groups[number])
    aside = [item for item in items if item["group"] in held_out]
    return [item for item in items if item["group"] not in held_out], aside


def check_readable(items: Sequence[Item], dataset_dir: str | Path) -> None:
    """Check that every image can be read and is a single plane, before anything is trained.

    Args:
        items: the images.
        dataset_dir: folder that messages name files relative to.

    Raises:
        DatasetError: images cannot be used. The message lists each of them with the reason.
    """
    dataset = Path(os.path.abspath(dataset_dir))
    faults: list[Fault] = []
    for item in items:
        place = place_of(Path(item["image"]), dataset)
        try:
            image = read(item["image"])
        except (UnreadableImageError, OSError) as error:
            faults.append(Fault(place, "unreadable", reason_of(error)))
            continue
        stack = stack_fault(image, place)
        faults += [] if stack is None else [stack]
    if faults:
        raise dataset_error(dataset, faults)
