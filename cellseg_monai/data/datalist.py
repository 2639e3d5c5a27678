"""Which images are for training, validation and test: `datalist.json`, `index.csv`, or a seeded split.

A datalist is the JSON file that MONAI calls by that name:

    {"training":   [{"image": "images/a.tif", "label": "labels/a.tif", "group": "plate1",
                     "tags": {"cell_type": "A172"}}, ...],
     "validation": [...],
     "test":       [...]}

`label`, `group` and `tags` are optional. For tags see `cellseg_monai.data.tags`.

Paths are relative to the folder of the JSON file, with "/". They may lead out of it ("../"), and may be
absolute, so that a list can lie beside a run and point into a read-only data set; `write_datalist` writes
relative paths wherever the system has one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cellseg_monai.atomic import replacing
from cellseg_monai.data.datalist_file import SECTION_NAMES, datalist_text, read_datalist
from cellseg_monai.data.families import ungrouped
from cellseg_monai.data.index_file import INDEX_NAME, IndexRow, read_index
from cellseg_monai.data.layout import scan
from cellseg_monai.data.split import SECTIONS, Datalist, complete_sections, item_of, split_dataset
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, dataset_error, place_of
from cellseg_monai.io import image_stem

__all__ = [
    "DATALIST_NAME",
    "Gathered",
    "Source",
    "gather",
    "load_datalist",
    "propose_datalist",
    "write_datalist",
]

DATALIST_NAME = "datalist.json"

Source = Literal["datalist", "index", "split"]


@dataclass(frozen=True)
class Gathered:
    """The sections of a data set, where they come from, and what is wrong with them."""

    sections: Datalist
    source: Source
    faults: list[Fault]


def load_datalist(dataset_dir: str | Path, datalist: str | Path | None = None, *, seed: int = 0) -> Datalist:
    """The items of training, validation and test.

    They come from the first of these that there is:

    1. the file `datalist`;
    2. `<dataset_dir>/datalist.json`;
    3. `<dataset_dir>/index.csv` with the columns `image_id` (a stem of `images/`), `split` and perhaps
       `group`, whatever their case and delimiter. Rows of the split `train` are for training. Where there are
       both `val` and `test`, each is what it is called; where there is only one of the two, it is the
       held-out test, and about 15 % of the training groups become validation;
    4. a split of `images/` in 70, 15 and 15 %, see `split_dataset`.

    The sections in 3 and 4 are chosen by `seed` and the names of the groups alone, so that they are the
    same on every machine, whatever order the files are listed in. That seed is a setting of its own: were
    it the seed of the training, a repeated training would be scored on images that the first one has seen.

    Args:
        dataset_dir: the data set.
        datalist: a JSON file to use instead of what the data set has; its paths are relative to itself.
        seed: of the split, where one is made; not that of the training.

    Returns:
        For each of "training", "validation" and "test" (any may be empty) a list of items: `image` and
        `label` are absolute paths, `label` is absent if there is none, `group` names what stays together, `tags`
        holds what else is known of the image and is absent if there is nothing.

    Raises:
        DatasetError: files named are not there, a group or an image is in two sections, or the list is
            malformed; the message lists all faults.
    """
    gathered = gather(dataset_dir, datalist, seed=seed)
    if gathered.faults:
        raise dataset_error(Path(dataset_dir), gathered.faults)
    return gathered.sections


def gather(dataset_dir: str | Path, datalist: str | Path | None = None, *, seed: int = 0) -> Gathered:
    """Like `load_datalist`, but the faults come back beside what could be read."""
    dataset = Path(os.path.abspath(dataset_dir))
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: no such folder; pass the folder of a data set")
    listed = Path(os.path.abspath(datalist)) if datalist is not None else dataset / DATALIST_NAME
    if datalist is not None or listed.is_file():
        sections, faults = read_datalist(listed, dataset)
        return Gathered(sections, "datalist", sorted(faults + _straddling(sections, listed, dataset)))
    indexed = _gather_index(dataset, seed)
    return indexed or Gathered(split_dataset(dataset, seed=seed), "split", [])


def propose_datalist(
    dataset_dir: str | Path,
    *,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    group_pattern: str | None = None,
) -> tuple[Datalist, Source, list[Fault]]:
    """The sections to write into the datalist of a data set that has none, or is to have a new one.

    Args:
        dataset_dir: the data set. The sections and groups of a `datalist.json` in it are ignored, its tags are kept.
        seed: of the split, where one is made.
        validation: wanted part of the images, 0.15 by default; see `split_dataset`.
        test: likewise.
        group_pattern: see `split_dataset`.

    Returns:
        The sections, whether they come from an "index" or from a "split", and warnings.

    Raises:
        DatasetError: there is nothing to split, the index is malformed, or it says already what the
            arguments would have otherwise.
        ValueError: the fractions or the pattern make no sense.
    """
    dataset = Path(os.path.abspath(dataset_dir))
    options = {"validation": validation, "test": test, "group_pattern": group_pattern}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    indexed = _gather_index(dataset, seed)
    if indexed is None:
        sections = _with_tags(split_dataset(dataset, seed=seed, **given), dataset)
        hint = ungrouped(scan(dataset).images) if group_pattern is None else None
        return sections, "split", [hint] if hint else []
    if indexed.faults:
        raise dataset_error(dataset, indexed.faults)
    if given:
        raise DatasetError(
            f"{dataset}: {INDEX_NAME} says which images are for training and which are held out, which leaves "
            f"nothing for {', '.join(given)} to decide; leave that away, give the index a column group, or rename it "
            "to have a new split"
        )
    return _with_tags(indexed.sections, dataset), indexed.source, []


def _with_tags(sections: Datalist, dataset: Path) -> Datalist:
    """The items with the tags that `datalist.json` of the data set has for their images."""
    try:
        listed, _ = read_datalist(dataset / DATALIST_NAME, dataset)
    except DatasetError:  # there is none, or it is being replaced because it is broken
        return sections
    tags = {item["image"]: item["tags"] for items in listed.values() for item in items if "tags" in item}
    return {
        section: [{**item, "tags": tags[item["image"]]} if item["image"] in tags else item for item in items]
        for section, items in sections.items()
    }


def write_datalist(path: str | Path, datalist: Datalist) -> None:
    """Write a datalist as JSON, its paths relative to the folder of the file.

    The file is there whole or not at all.

    Args:
        path: the file to write; one that is there is replaced.
        datalist: sections of items, as `load_datalist` returns them; relative paths count from the folder
            of `path`.
    """
    path = Path(path)
    text = datalist_text(datalist, path.absolute().parent)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _gather_index(dataset: Path, seed: int) -> Gathered | None:
    """What the index says; None if there is none that names splits."""
    path = dataset / INDEX_NAME
    nothing: Datalist = {section: [] for section in SECTIONS}
    try:
        rows = read_index(path)
    except DatasetError as error:
        return Gathered(nothing, "index", [Fault(INDEX_NAME, "datalist", str(error).removeprefix(f"{path}: "))])
    if rows is None:
        return None
    sections, faults = _from_index(rows, dataset, seed)
    return Gathered(sections, "index", sorted(faults + _straddling(sections, path, dataset)))


def _from_index(rows: list[IndexRow], dataset: Path, seed: int) -> tuple[Datalist, list[Fault]]:
    sections: Datalist = {section: [] for section in SECTIONS}
    layout = scan(dataset)
    faults = layout.repeated_faults()
    for row in rows:
        section = SECTION_NAMES.get(row.split, row.split)
        stem = row.image_id if row.image_id in layout.images else image_stem(row.image_id)
        if section not in SECTIONS:
            message = f"line {row.line}: the split of {row.image_id!r} is {row.split!r}; expected train, val or test"
            faults.append(Fault(INDEX_NAME, "datalist", message))
        elif stem not in layout.images:
            message = f"line {row.line}: there is no image {row.image_id!r} in images/; put it there, or drop the line"
            faults.append(Fault(INDEX_NAME, "missing-file", message))
        else:
            sections[section].append(item_of(layout, stem, row.group or stem))
    complete_sections(sections, seed)
    for items in sections.values():
        items.sort(key=lambda item: item["image"])
    return sections, faults


def _straddling(sections: Datalist, source: Path, dataset: Path) -> list[Fault]:
    """Groups and files that are in more than one section."""
    faults = []
    key: Literal["group", "image"]
    for key, kind in (("group", "group-straddles"), ("image", "duplicate")):
        homes: dict[str, set[str]] = {}
        for section, items in sections.items():
            for item in items:
                homes.setdefault(item[key], set()).add(section)
        for name, found in sorted(homes.items()):
            if len(found) > 1:
                shown = place_of(Path(name), dataset) if key == "image" else repr(name)
                where = " and ".join(section for section in SECTIONS if section in found)
                message = f"{key} {shown} is in {where}; what belongs together must be in one of them"
                faults.append(Fault(place_of(source, dataset), kind, message))
    return faults
