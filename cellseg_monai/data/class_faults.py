"""Check the classes of a whole data set before training, and report every fault at once."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from cellseg_monai.data.classes_of_cells import cell_classes, named_classes, wrong_name
from cellseg_monai.data.misspelt import misspelt
from cellseg_monai.data.split import Item
from cellseg_monai.data.tags import known_tags
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.faults import Fault, dataset_error, place_of
from cellseg_monai.heads import Head
from cellseg_monai.io import read_labels

__all__ = ["check_classes", "class_faults", "stated_class_faults"]


def check_classes(items: Sequence[Item], head: Head, dataset_dir: str | Path, *, required: bool = False) -> None:
    """Check the classes that a head is to learn; see `class_faults`.

    Raises:
        DatasetError: there are faults; the message lists all of them.
    """
    dataset = Path(dataset_dir).absolute()
    if faults := class_faults(items, head, dataset, required=required):
        raise dataset_error(dataset, faults)


def class_faults(items: Sequence[Item], head: Head, dataset: Path, *, required: bool = False) -> list[Fault]:
    """Return every fault in the classes that a head is to learn, sorted by place.

    A class that is not given is unknown, which is no fault unless classes are required. These are faults:

    - `class-value`: a tag or a table names a class that the head does not have, for example because it is misspelt;
    - `class-tag`: an image lacks the tag, but has one with a similar name that no other image has;
    - `class-labels`: a table or image of classes does not fit the label image, or cannot be read;
    - `class-missing`: classes are required, but an image or a cell has none.

    Args:
        items: annotated images, with absolute paths.
        head: the head, which names the classes of cells, and the tags that name classes of images, or the class of all
            cells in an image without `classes`.
        dataset: folder of the data set; faults name files relative to it.
        required: True if every image and every cell must have a class.
    """
    tag = head.class_tag
    values = {**({tag: head.class_names} if tag and head.class_names else {}), **head.tag_values}
    faults = []
    for item in items:
        place = place_of(Path(item["image"]), dataset)
        # Where a table or an image gives the class of each cell, the tag does not have to.
        wanted = {name: names for name, names in values.items() if name in head.tag_values or "classes" not in item}
        for name, names in wanted.items():
            if (fault := _tag_fault(item, name, names, items, required)) is not None:
                faults.append(Fault(place, *fault))
        if head.class_names and ("classes" in item or required):
            faults += _cell_faults(item, head.class_names, dataset, tag, required)
    return sorted(faults)


def stated_class_faults(items: Sequence[Item], dataset: Path) -> list[Fault]:
    """Return every fault in the classes and tags that a data set states, whatever a head may be trained on.

    These are the faults `class-labels` of `class_faults`, and a warning `class-value` for a class or the text of a tag
    that is probably misspelt; see `misspelt`. Items whose label image cannot be read are left out, because
    `check_dataset` reports these.

    Args:
        items: items with absolute paths.
        dataset: folder of the data set; faults name files relative to it.
    """
    stated = [item for item in items if "classes" in item and "label" in item]
    classes = [_names(item) for item in stated]
    known = sorted(set().union(*classes))
    faults = []
    for item in stated:
        with suppress(UnreadableImageError, OSError):
            faults += _faults_on(read_labels(item["label"]), item, known, dataset, "", False)
    for position, message in misspelt(classes):
        faults.append(Fault(place_of(Path(stated[position]["classes"]), dataset), "class-value", message, "warning"))
    tags = [known_tags(item.get("tags", {})) for item in items]
    for name in sorted({name for own in tags for name in own}):
        values = [{value} if isinstance(value := own.get(name), str) else set() for own in tags]
        for position, message in misspelt(values):
            place = place_of(Path(items[position]["image"]), dataset)
            faults.append(Fault(place, "class-value", f"{name}: {message}", "warning"))
    return faults


def _names(item: Item) -> set[str]:
    try:
        return named_classes(item)
    except (OSError, ValueError):  # which `cell_classes` reports
        return set()


def _tag_fault(
    item: Item, name: str, names: Sequence[str], items: Sequence[Item], required: bool
) -> tuple[str, str] | None:
    """Return the kind and the message of a fault in the tag of an item, or None if there is none."""
    tags = known_tags(item.get("tags", {}))
    if name in tags:
        if tags[name] in names:
            return None
        return "class-value", f"{name}: {wrong_name(tags[name], names)}"
    for other in difflib.get_close_matches(name, tags, n=1, cutoff=0.75):
        if sum(other in known_tags(another.get("tags", {})) for another in items) == 1:
            return "class-tag", f"got the tag {other!r}, which no other image has; did you mean {name!r}?"
    if not required:
        return None
    message = f"got no tag {name!r}, expected one of {', '.join(names)}; add the tag, or do not require classes"
    return "class-missing", message


def _cell_faults(item: Item, names: Sequence[str], dataset: Path, tag: str, required: bool) -> list[Fault]:
    """Return the faults in the classes of the cells of an item, and in its label image."""
    try:
        labels = read_labels(item["label"])
    except UnreadableImageError as error:
        place = place_of(Path(item["label"]), dataset)
        return [Fault(place, "class-labels", f"{error.reason}; {error.remedy}")]
    except OSError as error:
        place = place_of(Path(item["label"]), dataset)
        return [Fault(place, "class-labels", f"cannot read the labels ({error}); correct the datalist")]
    return _faults_on(labels, item, names, dataset, tag, required)


def _faults_on(
    labels: np.ndarray, item: Item, names: Sequence[str], dataset: Path, tag: str, required: bool
) -> list[Fault]:
    """Return the faults in the classes of the cells of an item with these labels."""
    place = place_of(Path(item.get("classes", item["image"])), dataset)
    try:
        classes, found = cell_classes(item, labels, names, tag)
    except OSError as error:
        return [Fault(place, "class-labels", f"cannot read the classes ({error}); correct the datalist")]
    faults = [Fault(place, kind, message) for kind, message in found]
    if required and not faults:
        without = np.setdiff1d(labels[labels > 0], classes[:, 0])
        if len(without):
            message = f"{len(without)} of {len(classes) + len(without)} cells have no class, such as {without[0]}; "
            faults.append(Fault(place, "class-missing", f"{message}add their classes, or do not require classes"))
    return faults
