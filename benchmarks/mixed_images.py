"""The annotated images of all data sets, for benchmarks on images of any kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.data import load_datalist

__all__ = ["Case", "by_group", "find_cases", "group_of", "link_images", "write_lists"]

LISTS = Path(__file__).parents[1] / "scripts" / "training_lists.py"
DSB = "dsb2018_stage1_train"
CLUSTERS = {
    "a": "fluorescence", "f": "fluorescence", "b": "stained tissue", "c": "stained tissue", "e": "stained tissue",
    "d": "smears",
}  # fmt: skip
"""What the images in the clusters of DSB 2018 show."""


@dataclass(frozen=True)
class Case:
    """An annotated image.

    Args:
        name: name of the image that no other case has, without suffix.
        group: row of the tables to which the image belongs.
        kind: what the image shows, a key of `scouting.KINDS`.
        image: path of the image.
        label: path of its true label image.
    """

    name: str
    group: str
    kind: str
    image: Path
    label: Path


def group_of(dataset: str) -> str:
    """Return the row of the tables for images with a tag `dataset`, as scripts/training_lists.py writes it.

    >>> group_of("bbbc039"), group_of("dsb2018_stage1_train/f"), group_of("dsb2018_stage1_train/d")
    ('bbbc039', 'dsb2018 fluorescence', 'dsb2018 smears')
    """
    name, _, cluster = dataset.partition("/")
    return f"dsb2018 {CLUSTERS[cluster]}" if name == DSB else name


def write_lists(data: Path, folder: Path) -> Path:
    """Write the lists of scripts/training_lists.py into a folder, and return the one with all images.

    Args:
        data: folder that holds the data sets.
        folder: folder for the lists.
    """
    subprocess.run([sys.executable, str(LISTS), str(data), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder / "scout.json"


def find_cases(data: Path, datalist: Path, section: str, *, limit: int | None = None) -> list[Case]:
    """Return the annotated images in a section of a list, in a fixed order.

    Args:
        data: folder that holds the data sets.
        datalist: the list that `write_lists` returned.
        section: `test`, which is the split `val` of the data sets; or `training` or `validation`, into which their
            split `train` is divided.
        limit: greatest number of images of a group.
    """
    items = load_datalist(data, datalist).get(section, [])
    cases = []
    for item in items:
        if "label" in item:
            group, image = group_of(str(item["tags"]["dataset"])), Path(item["image"])
            name = f"{group}-{image.stem}".replace(" ", "_")
            cases.append(Case(name, group, str(item["tags"]["kind"]), image, Path(item["label"])))
    groups = by_group(cases)
    return [case for members in groups.values() for case in members[:limit]]


def by_group(cases: Iterable[Case]) -> Mapping[str, list[Case]]:
    """Return the cases of each group."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.group].append(case)
    return groups


def link_images(cases: Iterable[Case], folder: Path) -> Path:
    """Put the images of cases into one folder, under their unique names, and return the folder.

    The images are hard links where the file system allows it, and copies otherwise. Other files in the folder are
    removed, so that it never holds images of an earlier run.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for case in cases:
        target = folder / f"{case.name}{case.image.suffix}"
        try:
            os.link(case.image, target)
        except OSError:
            shutil.copy(case.image, target)
    return folder
