"""The classes of the cells in an image, from a table of ids, an image of classes, or a tag of the image.

An item of `datalist.json` can say where the classes of its cells are, under "classes":

- a table (`.csv`) with the columns `id` and `class`, such as the one that `cellseg segment` writes. Other columns are
  ignored. A cell without a row or with an empty class is of unknown class:

      {"image": "images/a.tif", "label": "labels/a.tif", "classes": "classes/a.csv"}

- an image in which each pixel of a cell has the number of its class. "class_names" names the classes from 1 on, and 0
  stands for background and unknown classes:

      {..., "classes": "classes/a.png", "class_names": ["round", "elongated"]}

In an item without "classes", a tag of the image can name the class of all its cells.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cellseg_monai.data.split import Item
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read_labels
from cellseg_monai.labels import UNKNOWN, classes_of_pixels, no_classes
from cellseg_monai.spreadsheets import read_rows, text_of_cell

__all__ = ["TABLE_SUFFIX", "cell_classes", "named_classes", "wrong_name"]

TABLE_SUFFIX = ".csv"

_MOST_SHOWN = 3

_Faults = list[tuple[str, str]]


def cell_classes(item: Item, labels: np.ndarray, names: Sequence[str], tag: str = "") -> tuple[np.ndarray, _Faults]:
    """Return the classes of the cells in an image, and every fault in them.

    Args:
        item: the item, with absolute paths.
        labels: Y×X ids of the cells, as in the label file.
        names: names of the classes, in the order of their numbers.
        tag: tag that names the class of all cells of an item without `classes`; empty for none.

    Returns:
        The N×2 int64 list of ids and class numbers (see `labels.object_classes`), and the faults as (kind, message)
        pairs; `class_faults` describes the kinds. Cells with faults are not in the list.

    Raises:
        OSError: the file with the classes cannot be read.
    """
    ids: np.ndarray = np.unique(labels[labels > 0]).astype(np.int64)
    if "classes" not in item:
        value = item.get("tags", {}).get(tag, "")
        if value not in names:  # a misspelt value is a fault of the datalist, see `class_faults`
            return no_classes(), []
        return np.stack([ids, np.full_like(ids, list(names).index(str(value)))], axis=1), []
    path = Path(item["classes"])
    if path.suffix.lower() == TABLE_SUFFIX:
        return _from_table(path, ids, names)
    return _from_pixels(path, labels, names, item.get("class_names", ()))


def named_classes(item: Item) -> set[str]:
    """Return the classes that an item names, in its table or as its "class_names".

    Raises:
        OSError: the file with the classes cannot be read.
        ValueError: the table is not CSV.
    """
    path = Path(item["classes"])
    if path.suffix.lower() != TABLE_SUFFIX:
        return {*item.get("class_names", ())}
    head, *rows = read_rows(path) or [[]]
    columns = list(map(text_of_cell, head))
    if "class" not in columns:
        return set()
    place = columns.index("class")
    return {name for row in rows if len(row) > place and (name := text_of_cell(row[place]).strip())}


def wrong_name(got: object, names: Sequence[str]) -> str:
    """Return what is wrong with a name that is none of the classes, and what to do.

    >>> wrong_name("rond", ["round", "elongated"])
    "got the class 'rond', expected one of round, elongated; did you mean 'round'?"
    """
    nearest = difflib.get_close_matches(str(got), names, n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else "correct the class, or leave it empty if it is unknown"
    return f"got the class {got!r}, expected one of {', '.join(names)}; {remedy}"


def _from_table(path: Path, ids: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, _Faults]:
    try:
        head, *rows = read_rows(path) or [[]]
    except ValueError as error:
        return no_classes(), _broken(f"not a CSV table ({error}); save it again as CSV in UTF-8")
    columns = list(map(text_of_cell, head))
    if not {"id", "class"} <= set(columns):
        shown = ", ".join(columns) or "none"
        return no_classes(), _broken(f"got the columns {shown}, expected id and class; rename the columns")
    known, wrong, labelled = [], _WrongRows(), set(ids.tolist())
    for number, cells in enumerate(rows, start=2):
        row = dict(zip(columns, map(text_of_cell, cells), strict=False))
        text, name = row.get("id", "").strip(), row.get("class", "").strip()
        if not text.isascii() or not text.isdigit():
            wrong.add("class-labels", "id", number, f"got the id {text!r}, expected a whole number; correct the id")
        elif int(text) not in labelled:
            message = f"the label image has no object {text}; correct the id, or remove the row"
            wrong.add("class-labels", "object", number, message)
        elif name and name not in names:
            wrong.add("class-value", name, number, wrong_name(name, names))
        elif name:
            known.append((int(text), list(names).index(name)))
    counts = Counter(object_id for object_id, _ in known)
    for object_id, count in counts.items():
        if count > 1:
            message = f"object {object_id} has {count} rows, expected one; keep the right one"
            wrong.add("class-labels", "twice", 0, message)
    kept = [(object_id, number) for object_id, number in known if counts[object_id] == 1]
    return np.array(kept, np.int64).reshape(-1, 2), wrong.faults()


def _broken(message: str) -> _Faults:
    return [("class-labels", message)]


class _WrongRows:
    """Faults in the rows of a table, of which many can have the same cause."""

    def __init__(self) -> None:
        self._by_cause: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, cause: str, row: int, message: str) -> None:
        text = f"row {row}: {message}" if row else message
        self._by_cause.setdefault((kind, cause), []).append(text)

    def faults(self) -> _Faults:
        """Return the first fault of each cause, with the number of others."""
        faults = []
        for (kind, _), (first, *others) in self._by_cause.items():
            faults.append((kind, first + (f" (and {len(others)} more like this)" if others else "")))
        return faults


def _from_pixels(
    path: Path, labels: np.ndarray, names: Sequence[str], meanings: Sequence[str]
) -> tuple[np.ndarray, _Faults]:
    if not meanings:
        message = 'an image of classes needs the names of its classes; add "class_names": ["round", ...] to the item'
        return no_classes(), _broken(message)
    if unknown := [name for name in meanings if name not in names]:
        return no_classes(), [("class-value", wrong_name(name, names)) for name in unknown]
    try:
        pixels = read_labels(path)
    except UnreadableImageError as error:
        return no_classes(), _broken(f"{error.reason}; {error.remedy}")
    if pixels.shape != labels.shape:
        sizes = f"got an image of {_size(pixels)} pixels for labels of {_size(labels)}"
        return no_classes(), _broken(f"{sizes}, expected the same size; pair each label image with its own classes")
    outside = np.unique(pixels[(pixels < 0) | (pixels > len(meanings))]).tolist()
    if outside:
        shown = ", ".join(map(str, outside[:_MOST_SHOWN]))
        message = f"got the class numbers {shown}, expected 0 to {len(meanings)} for {', '.join(meanings)}; name "
        return no_classes(), [("class-value", f"{message}every class in class_names, or correct the image")]
    number_of = np.array([UNKNOWN, *(list(names).index(name) for name in meanings)], np.int64)
    classes, mixed = classes_of_pixels(labels, number_of[pixels])
    faults = []
    if len(mixed):
        shown = ", ".join(map(str, mixed[:_MOST_SHOWN].tolist()))
        message = f"{len(mixed)} object(s) have pixels of several classes: {shown}; give all pixels of an object one"
        faults += _broken(f"{message} class")
    if stray := int(np.count_nonzero((pixels > 0) & (labels == 0))):
        faults += _broken(f"{stray} pixel(s) have a class but belong to no object; set them to 0, or add the objects")
    return classes, faults


def _size(pixels: np.ndarray) -> str:
    return " × ".join(map(str, pixels.shape))
