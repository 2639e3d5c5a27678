"""Find the images for training, validation and test, from `datalist.json`, from `index.csv`, or from a seeded split.

A datalist is a JSON file in the layout that MONAI uses:

    {"training":   [{"image": "images/a.tif", "label": "labels/a.tif", "group": "plate1",
                     "tags": {"cell_type": "A172"}}, ...],
     "validation": [...],
     "test":       [...]}

`label`, `group` and `tags` are optional. `cellseg_monai.data.tags` describes tags. `classes` and `class_names` say
which class each cell has; see `cellseg_monai.data.classes_of_cells`.

Paths are relative to the folder of the JSON file, with "/" as separator. They can lead out of that folder ("../") or be
absolute, so a list can be stored with a run and still refer to a read-only data set. `write_datalist` writes relative
paths wherever the system allows it.
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
from cellseg_monai.data.split import SECTIONS, Datalist, Item, complete_sections, item_of, split_dataset
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
    """The sections of a data set, the source they come from, and the faults found in them."""

    sections: Datalist
    source: Source
    faults: list[Fault]


def load_datalist(dataset_dir: str | Path, datalist: str | Path | None = None, *, seed: int = 0) -> Datalist:
    """Return the items for training, validation and test.

    The first of these sources that exists is used:

    1. the file `datalist`;
    2. `<dataset_dir>/datalist.json`;
    3. `<dataset_dir>/index.csv` with the columns `image_id` (a stem in `images/`) or `image` (a file name), `split` and
       optionally `group`. The
       case of the names and the choice of delimiter do not matter. Rows with the split `train` are for training. If the
       file has both `val` and `test`, they become validation and test. If it has only one of the two, that one becomes
       the test section, and about 15 % of the training groups become the validation section;
    4. a split of `images/` into 70, 15 and 15 %; see `split_dataset`.

    The splits in 3 and 4 depend only on `seed` and the names of the groups, so they are the same on every machine and
    for any order of the files. The seed for splits is separate from the training seed. Otherwise, a training run
    repeated with another seed would be scored on images that the first run was trained on.

    Args:
        dataset_dir: folder of the data set.
        datalist: a JSON file to use instead of the data set's own list; its paths are relative to its folder.
        seed: seed for a split made here; not the training seed.

    Returns:
        A list of items, possibly empty, for each of "training", "validation" and "test". `image` and `label` are
        absolute paths; `label` is absent for an unlabelled image. Images with the same `group` stay together. `tags`
        contains anything else that is known about the image, and is absent if nothing else is known.

    Raises:
        DatasetError: a listed file does not exist, a group or an image is in two sections, or the list is malformed;
            the message lists every fault.
    """
    gathered = gather(dataset_dir, datalist, seed=seed)
    if gathered.faults:
        raise dataset_error(Path(dataset_dir), gathered.faults)
    return gathered.sections


def gather(dataset_dir: str | Path, datalist: str | Path | None = None, *, seed: int = 0) -> Gathered:
    """Read the sections like `load_datalist`, but return any faults together with whatever could be read."""
    dataset = Path(os.path.abspath(dataset_dir))
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: no such folder; pass a data set folder")
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
    """Return the sections for a new datalist of a data set.

    Args:
        dataset_dir: folder of the data set. If it contains a `datalist.json`, its sections and groups are ignored, but
            its tags and classes are kept.
        seed: seed for a split made here.
        validation: fraction of the images for validation, 0.15 by default; see `split_dataset`.
        test: fraction of the images for testing, 0.15 by default; see `split_dataset`.
        group_pattern: regular expression that finds the group of an image in its stem; see `split_dataset`.

    Returns:
        The sections, their source ("index" or "split"), and warnings.

    Raises:
        DatasetError: there are no images to split, the index is malformed, or the index already settles what the
            arguments would decide.
        ValueError: the fractions or the pattern are invalid.
    """
    dataset = Path(os.path.abspath(dataset_dir))
    options = {"validation": validation, "test": test, "group_pattern": group_pattern}
    chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    indexed = _gather_index(dataset, seed)
    if indexed is None:
        sections = _with_tags(split_dataset(dataset, seed=seed, **chosen), dataset)
        hint = ungrouped(scan(dataset).images) if group_pattern is None else None
        return sections, "split", [hint] if hint else []
    if indexed.faults:
        raise dataset_error(dataset, indexed.faults)
    if chosen:
        raise DatasetError(
            f"{dataset}: {INDEX_NAME} assigns each image to training or to a held-out section, so {', '.join(chosen)} "
            "would have no effect; omit the option, add a `group` column to the index, or rename the index"
        )
    return _with_tags(indexed.sections, dataset), indexed.source, []


def _with_tags(sections: Datalist, dataset: Path) -> Datalist:
    """Return the items with the tags and classes that the data set's `datalist.json` has for their images."""
    try:
        listed, _ = read_datalist(dataset / DATALIST_NAME, dataset)
    except DatasetError:  # the file does not exist, or is broken and about to be replaced
        return sections
    known = {item["image"]: item for items in listed.values() for item in items}
    return {
        section: [_completed(item, known.get(item["image"])) for item in items] for section, items in sections.items()
    }


def _completed(item: Item, known: Item | None) -> Item:
    """Return an item with what else is known about its image."""
    completed = item.copy()
    if known is not None:
        if "tags" in known:
            completed["tags"] = known["tags"]
        if "classes" in known:
            completed["classes"] = known["classes"]
        if "class_names" in known:
            completed["class_names"] = known["class_names"]
    return completed


def write_datalist(path: str | Path, datalist: Datalist) -> None:
    """Write a datalist as JSON, with paths relative to the folder of the file.

    The file is either complete or absent.

    Args:
        path: the file to write; an existing file is replaced.
        datalist: items by section, as `load_datalist` returns them; relative paths are relative to the folder of
            `path`.
    """
    path = Path(path)
    text = datalist_text(datalist, path.absolute().parent)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _gather_index(dataset: Path, seed: int) -> Gathered | None:
    """Return the sections in `index.csv`, or None if the file does not exist or names no splits."""
    path = dataset / INDEX_NAME
    empty: Datalist = {section: [] for section in SECTIONS}
    try:
        rows = read_index(path)
    except DatasetError as error:
        return Gathered(empty, "index", [Fault(INDEX_NAME, "datalist", str(error).removeprefix(f"{path}: "))])
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
            message = (
                f"line {row.line}: got split {row.split!r} for {row.image_id!r}, expected train, val or test; "
                "choose one of these"
            )
            faults.append(Fault(INDEX_NAME, "datalist", message))
        elif stem not in layout.images:
            message = f"line {row.line}: image {row.image_id!r} not found in images/; add the image, or remove the line"
            faults.append(Fault(INDEX_NAME, "missing-file", message))
        else:
            sections[section].append(item_of(layout, stem, row.group or stem))
    complete_sections(sections, seed)
    for items in sections.values():
        items.sort(key=lambda item: item["image"])
    return sections, faults


def _straddling(sections: Datalist, source: Path, dataset: Path) -> list[Fault]:
    """Return a fault for each group or image file that is in more than one section."""
    faults = []
    key: Literal["group", "image"]
    for key, kind in (("group", "group-straddles"), ("image", "duplicate")):
        homes: dict[str, set[str]] = {}
        for section, items in sections.items():
            for item in items:
                homes.setdefault(item[key], set()).add(section)
        for name, its_sections in sorted(homes.items()):
            if len(its_sections) > 1:
                shown = place_of(Path(name), dataset) if key == "image" else repr(name)
                where = " and ".join(section for section in SECTIONS if section in its_sections)
                message = f"{key} {shown} is in {where}; keep it in only one section"
                faults.append(Fault(place_of(source, dataset), kind, message))
    return faults
