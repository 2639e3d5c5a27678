"""The annotated images for fine-tuning: checked, and divided into those to train on and those to validate on."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.data import Datalist, Item, check_dataset, section_items
from cellseg_monai.data.datalist import gather
from cellseg_monai.data.items import calibration_items
from cellseg_monai.data.split import SECTIONS, split_groups
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import dataset_error
from cellseg_monai.io import read_labels
from cellseg_monai.one_line import one_line

__all__ = ["FEWEST_TO_VALIDATE", "Images", "check_images", "divide", "find_images", "find_pool"]

logger = logging.getLogger(__name__)

FEWEST_TO_VALIDATE = 6
"""Fewer images than this are all used for training, because one or two images cannot tell a good epoch from luck."""

_VALIDATION, _HELD_OUT = 0.2, 0.3


@dataclass(frozen=True)
class Images:
    """The images that a network is fine-tuned on.

    Args:
        training: images to train on.
        validation: images that decide which epoch is the best; empty if there are too few.
        test: images held out for scores; empty unless a learning curve is drawn.
    """

    training: Sequence[Item]
    validation: Sequence[Item]
    test: Sequence[Item] = ()

    @property
    def annotated(self) -> list[Item]:
        """The images that the network or its settings are fitted to."""
        return [*self.training, *self.validation]

    def as_datalist(self) -> Datalist:
        """Return the images as a datalist."""
        return dict(zip(SECTIONS, (list(self.training), list(self.validation), list(self.test)), strict=True))


def check_images(dataset_dir: str | Path, datalist: str | Path | None) -> None:
    """Report every fault in a data set before any work is done; log its warnings.

    Args:
        dataset_dir: folder with images/ and labels/.
        datalist: a JSON file to use instead of the data set's own list.

    Raises:
        DatasetError: the data set has faults that would spoil training; the message lists all of them.
    """
    faults = check_dataset(dataset_dir, datalist)
    if any(fault.severity == "error" for fault in faults):
        raise dataset_error(Path(os.path.abspath(dataset_dir)), faults)
    for fault in faults:
        logger.warning(one_line(fault))


def find_images(dataset_dir: str | Path, datalist: str | Path | None, *, seed: int) -> Images:
    """Return the annotated images of a data set for training and for validation.

    A datalist or an index.csv that reserves images for validation or testing is respected. Otherwise, all images are
    used, and a seeded fifth of them, in whole groups, becomes the validation part.

    Args:
        dataset_dir: folder with images/ and labels/.
        datalist: a JSON file to use instead of the data set's own list.
        seed: seed of the division.

    Raises:
        DatasetError: there are no annotated images, or none of their labels contains an object.
    """
    gathered = gather(dataset_dir, datalist, seed=seed)
    if gathered.source == "datalist" and gathered.sections["validation"]:
        sections = (section_items(dataset_dir, name, datalist, seed) for name in ("training", "validation"))
        images = Images(*sections)
    else:
        images = divide(calibration_items(dataset_dir, "all", datalist, seed), seed=seed)
    if not any(read_labels(item["label"]).any() for item in images.training):
        raise DatasetError(
            f"{os.path.abspath(dataset_dir)}: got {len(images.training)} training image(s) without any object, "
            "expected ids from 1 in their labels; add images that show cells"
        )
    return images


def divide(items: Sequence[Item], *, seed: int) -> Images:
    """Divide annotated images into training and validation, keeping groups together.

    Args:
        items: the images.
        seed: seed of the division.
    """
    groups = Counter(item["group"] for item in items)
    if len(items) < FEWEST_TO_VALIDATE or len(groups) < 2:
        return Images(items, [])
    part_of = split_groups(groups, seed=seed, validation=_VALIDATION, test=0.0)
    parts = {name: [item for item in items if part_of[item["group"]] == name] for name in ("training", "validation")}
    return Images(parts["training"], parts["validation"])


def find_pool(dataset_dir: str | Path, datalist: str | Path | None, *, seed: int) -> tuple[list[Item], list[Item]]:
    """Return the annotated images that a learning curve draws from, and those held out for its scores.

    The images that a datalist or an index.csv reserves for testing are held out. Without such a list, a seeded 30 % of
    the images are, in whole groups.

    Args:
        dataset_dir: folder with images/ and labels/.
        datalist: a JSON file to use instead of the data set's own list.
        seed: seed of the division.

    Raises:
        DatasetError: one of the two parts would be empty, or has images without labels.
    """
    gathered = gather(dataset_dir, datalist, seed=seed)
    if gathered.source != "split" and gathered.sections["test"]:
        held_out = section_items(dataset_dir, "test", datalist, seed)
        return calibration_items(dataset_dir, "all", datalist, seed), held_out
    items = calibration_items(dataset_dir, "all", datalist, seed)
    part_of = split_groups(Counter(item["group"] for item in items), seed=seed, validation=0.0, test=_HELD_OUT)
    held_out = [item for item in items if part_of[item["group"]] == "test"]
    if not held_out:
        raise DatasetError(
            f"{os.path.abspath(dataset_dir)}: got {len(items)} image(s) in one group, expected others to hold out for "
            "the scores; add images"
        )
    return [item for item in items if part_of[item["group"]] != "test"], held_out
