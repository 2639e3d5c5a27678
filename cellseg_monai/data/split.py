"""Split a data set into training, validation and test, keeping groups together.

The split has its own seed, `split_seed` in the configs of a bundle. Training runs with a different `seed` therefore use
the same images, and no run is evaluated on images that another run was trained on.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from cellseg_monai.data.layout import Layout, scan
from cellseg_monai.data.tags import Tags
from cellseg_monai.digest import text_digest
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import dataset_error

__all__ = [
    "SECTIONS",
    "Datalist",
    "Item",
    "complete_sections",
    "groups_by_pattern",
    "item_of",
    "split_dataset",
    "split_groups",
]

SECTIONS = ("training", "validation", "test")


class _Grouped(TypedDict):
    image: str
    group: str


class Item(_Grouped, total=False):
    """An image in a data set.

    `image` is a path. `label` is the path of the label image, and is absent for an unlabelled image. All images with
    the same `group` must stay in one section. `tags` contains anything else that is known about the image, and is
    absent if nothing else is known; see `cellseg_monai.data.tags`. `classes` is the path of a table or an image with
    the classes of the cells, and `class_names` names the classes in an image; see
    `cellseg_monai.data.classes_of_cells`.
    """

    label: str
    tags: Tags
    classes: str
    class_names: list[str]


Datalist = dict[str, list[Item]]
"""Items by section."""


def split_groups(
    sizes: Mapping[str, int], *, seed: int = 0, validation: float = 0.15, test: float = 0.15
) -> dict[str, str]:
    """Assign each group to a section, so that each section gets roughly its fraction of the images.

    The groups are ranked by a hash of seed and name, so the result depends neither on their order nor on the machine. A
    group joins a section if that brings the section closer to its fraction. Training keeps at least one group. As long
    as groups are left, validation and then test get at least one if their fraction is above 0.

    Args:
        sizes: number of images in each group.
        seed: seed for the ranking; another seed gives another split.
        validation: fraction of the images for validation, at least 0.
        test: fraction of the images for testing, at least 0.

    Returns:
        The section of each group.

    Raises:
        ValueError: a fraction is below 0, or the fractions leave nothing for training.

    >>> split_groups({"plate1": 4, "plate2": 4, "plate3": 4})
    {'plate1': 'validation', 'plate2': 'training', 'plate3': 'test'}
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise ValueError(
            f"got validation={validation} and test={test}, expected non-negative fractions that sum to less than 1; "
            "choose smaller fractions, such as 0.15"
        )
    waiting = sorted(sizes, key=lambda group: (text_digest(f"{seed}:{group}"), group))
    total = sum(sizes.values())
    sections: dict[str, str] = {}
    for section, fraction in (("validation", validation), ("test", test)):
        wanted = max(1, round(fraction * total)) if fraction > 0 else 0
        # One group is kept for training. Once validation has a group, it leaves another for test.
        chosen = _nearest(waiting, sizes, wanted, kept=2 if section == "validation" and test > 0 else 1)
        sections |= dict.fromkeys(chosen, section)
        waiting = [group for group in waiting if group not in sections]
    return {group: sections.get(group, "training") for group in sorted(sizes)}


def _nearest(waiting: Sequence[str], sizes: Mapping[str, int], wanted: int, kept: int) -> list[str]:
    """Return groups that together have about the wanted number of images."""
    chosen: list[str] = []
    taken = 0
    for group in waiting:
        is_closer = abs(taken + sizes[group] - wanted) < abs(taken - wanted)
        if is_closer and len(waiting) - len(chosen) > (kept if chosen else 1):
            chosen.append(group)
            taken += sizes[group]
    if 2 * taken >= wanted or len(waiting) < 2:
        return chosen
    # The small groups do not suffice, and every other group is too large. A section that is too large is better, as
    # long as training keeps at least as many images.
    enough = [group for group in waiting if 2 * sizes[group] >= wanted]
    least = min(enough, key=sizes.__getitem__, default=None)
    left = sum(sizes[group] for group in waiting if group != least)
    return [least] if least is not None and (not chosen or left >= sizes[least]) else chosen


def split_dataset(
    dataset_dir: str | Path,
    *,
    seed: int = 0,
    validation: float = 0.15,
    test: float = 0.15,
    group_pattern: str | None = None,
) -> Datalist:
    r"""Return a datalist that divides the images in `images/` into training, validation and test.

    Args:
        dataset_dir: a folder with `images/` and `labels/`.
        seed: seed for the split; the same files and seed always give the same split.
        validation: fraction of the images for validation; at least one image if there are two groups or more.
        test: fraction of the images for testing.
        group_pattern: a regular expression to search for in each stem; its first capture group is the image's group,
            as in r"^(\w+_[A-P]\d\d)_" for a well. Images with the same group stay in one section. Without a pattern,
            each image is a group of its own, which is wrong for time lapses, stacks and neighbouring fields of view.

    Returns:
        Items with absolute paths, sorted by path, for every section.

    Raises:
        DatasetError: there are no images, two images have the same stem, or stems do not match the pattern.
        ValueError: the fractions or the pattern are invalid.
    """
    layout = scan(Path(os.path.abspath(dataset_dir)))
    if layout.repeated:
        raise dataset_error(layout.dataset, layout.repeated_faults())
    if not layout.images:
        raise DatasetError(
            f"{layout.dataset}: no images in images/; add images to images/, and labels with the same stems to labels/"
        )
    stems = list(layout.images)
    groups = dict(zip(stems, stems, strict=True))
    if group_pattern is not None:
        groups = groups_by_pattern(stems, group_pattern, layout.dataset)
    sections = split_groups(Counter(groups.values()), seed=seed, validation=validation, test=test)
    datalist: Datalist = {section: [] for section in SECTIONS}
    for stem in layout.images:
        datalist[sections[groups[stem]]].append(item_of(layout, stem, groups[stem]))
    return datalist


def complete_sections(sections: Datalist, seed: int) -> None:
    """Add a validation section to published sections that lack one, in place.

    If the published split has only one held-out section, that section becomes the test section. About 15 % of the
    training items then become the validation section, in whole groups.
    """
    if not sections["test"]:
        sections["test"], sections["validation"] = sections["validation"], []
    if sections["validation"]:
        return
    parts = split_groups(Counter(item["group"] for item in sections["training"]), seed=seed, test=0.0)
    training, sections["training"] = sections["training"], []
    for item in training:
        sections[parts[item["group"]]].append(item)


def item_of(layout: Layout, stem: str, group: str) -> Item:
    """Return the item for an image in the folder, without `label` if the image has none."""
    item: Item = {"image": str(layout.images[stem]), "group": group}
    if stem in layout.labels:
        item["label"] = str(layout.labels[stem])
    return item


def groups_by_pattern(stems: Sequence[str], group_pattern: str, dataset: Path) -> dict[str, str]:
    """Return the group of each stem; `split_dataset` describes the pattern and the errors."""
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise ValueError(
            f"got the group pattern {group_pattern!r}, expected a regular expression ({error}); fix the pattern"
        ) from error
    if pattern.groups < 1:
        raise ValueError(
            f"got the group pattern {group_pattern!r} without a capture group; put the part that names the group in "
            "parentheses"
        )
    matches = {stem: pattern.search(stem) for stem in stems}
    groups = {stem: match.group(1) for stem, match in matches.items() if match and match.group(1)}
    unmatched = [stem for stem in matches if stem not in groups]
    if unmatched:
        raise DatasetError(
            f"{dataset}: {len(unmatched)} of {len(matches)} stems do not match the group pattern "
            f"{group_pattern!r}: {_shortened(unmatched)}; use a broader pattern, or rename the files"
        )
    return groups


def _shortened(names: Iterable[str], most: int = 10) -> str:
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
