"""Splits of a data set into training, validation and test, by whole groups."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from cellseg_monai.data.layout import Layout, scan
from cellseg_monai.data.tags import Tags
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
    """An image of a data set.

    `image` is a path. `label` is the path of its label image, absent if there is none. `group` names what must stay
    in one section. `tags` holds what else is known of the image, absent if that is nothing; see
    `cellseg_monai.data.tags`.
    """

    label: str
    tags: Tags


Datalist = dict[str, list[Item]]
"""Items by section."""


def split_groups(
    sizes: Mapping[str, int], *, seed: int = 0, validation: float = 0.15, test: float = 0.15
) -> dict[str, str]:
    """The section of each group, so that the sections have about the wanted parts of the images.

    The groups are ranked by a hash of seed and name, so the result depends on nothing else: neither on the
    order of the groups nor on the machine. A group is taken where it brings a section nearer to its part.
    Training keeps at least one group; of what remains, validation gets at least one group before test does,
    where their fractions are above 0.

    Args:
        sizes: the number of images of each group.
        seed: another seed gives another split.
        validation: wanted part of the images, 0 or more.
        test: wanted part of the images, 0 or more.

    Raises:
        ValueError: fractions below 0, or that leave nothing for training.

    >>> split_groups({"plate1": 4, "plate2": 4, "plate3": 4})
    {'plate1': 'validation', 'plate2': 'training', 'plate3': 'test'}
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise ValueError(
            f"validation {validation} and test {test}: expected fractions of 0 or more that sum to less than 1"
        )
    waiting = sorted(sizes, key=lambda group: (hashlib.sha256(f"{seed}:{group}".encode()).digest(), group))
    total = sum(sizes.values())
    sections: dict[str, str] = {}
    for section, fraction in (("validation", validation), ("test", test)):
        wanted = max(1, round(fraction * total)) if fraction > 0 else 0
        # One group stays for training; after its first, validation leaves one for test as well.
        chosen = _nearest(waiting, sizes, wanted, kept=2 if section == "validation" and test > 0 else 1)
        sections |= dict.fromkeys(chosen, section)
        waiting = [group for group in waiting if group not in sections]
    return {group: sections.get(group, "training") for group in sorted(sizes)}


def _nearest(waiting: Sequence[str], sizes: Mapping[str, int], wanted: int, kept: int) -> list[str]:
    """Groups that together have about the wanted number of images, taken in turn while they bring it nearer."""
    chosen: list[str] = []
    taken = 0
    for group in waiting:
        nearer = abs(taken + sizes[group] - wanted) < abs(taken - wanted)
        if nearer and len(waiting) - len(chosen) > (kept if chosen else 1):
            chosen.append(group)
            taken += sizes[group]
    if 2 * taken >= wanted or len(waiting) < 2:
        return chosen
    # Starved: the small groups do not suffice, and any other is too much. Too much is better, as long as
    # training has no less.
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
    r"""A datalist that parts the images of `images/` among training, validation and test.

    Args:
        dataset_dir: a folder with `images/` and `labels/`.
        seed: another seed gives another split; the same files and seed always give the same.
        validation: wanted part of the images; at least one image where there are two groups or more.
        test: wanted part of the images.
        group_pattern: a regular expression that is searched in each stem and whose first bracket is the
            group, such as r"^(\w+_[A-P]\d\d)_" for a well. Images of one group stay in one section. Without
            it each image is a group of its own, which is wrong for time lapses, stacks and neighbouring
            fields of view.

    Returns:
        Items with absolute paths, sorted by path, in every section.

    Raises:
        DatasetError: there are no images, two have the same stem, or stems do not match the pattern.
        ValueError: the fractions or the pattern make no sense.
    """
    layout = scan(Path(os.path.abspath(dataset_dir)))
    if layout.repeated:
        raise dataset_error(layout.dataset, layout.repeated_faults())
    if not layout.images:
        raise DatasetError(
            f"{layout.dataset}: no images found in images/; expected images/ and labels/ with files of the same stem"
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
    """Make validation and test of what a publication holds out, in place.

    Where only one of them is published, it is the test; validation is then about 15 % of the training items, by whole
    groups.
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
    """The item of an image of the folder; without `label` if there is none."""
    item: Item = {"image": str(layout.images[stem]), "group": group}
    if stem in layout.labels:
        item["label"] = str(layout.labels[stem])
    return item


def groups_by_pattern(stems: Sequence[str], group_pattern: str, dataset: Path) -> dict[str, str]:
    """Stem to group; see `split_dataset` for the pattern, and for what is raised."""
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise ValueError(f"group pattern {group_pattern!r} is no regular expression: {error}") from error
    if pattern.groups < 1:
        raise ValueError(
            f"group pattern {group_pattern!r} has no bracket; put one around the part that names the group"
        )
    matches = {stem: pattern.search(stem) for stem in stems}
    groups = {stem: match.group(1) for stem, match in matches.items() if match and match.group(1)}
    left_out = [stem for stem in matches if stem not in groups]
    if left_out:
        raise DatasetError(
            f"{dataset}: {len(left_out)} of {len(matches)} stems do not match the group pattern "
            f"{group_pattern!r}: {_some(left_out)}; widen the pattern, or rename the files"
        )
    return groups


def _some(names: Iterable[str], most: int = 10) -> str:
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
