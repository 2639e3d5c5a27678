"""Read and write datalist JSON files, reporting every fault when reading."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, Literal

from cellseg_monai.data.split import SECTIONS, Datalist, Item
from cellseg_monai.data.tags import known_tags, mixed_tags, read_tags
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.json_text import parse_json, readable_json
from cellseg_monai.labels import check_class_names
from cellseg_monai.text_file import read_text

__all__ = ["SECTION_NAMES", "datalist_text", "read_datalist"]

SECTION_NAMES = {"train": "training", "val": "validation", "valid": "validation"}
"""The section names in this package, keyed by other common names for the sections."""

_FileKey = Literal["image", "label", "classes"]
_FILE_KEYS: tuple[_FileKey, ...] = ("image", "label", "classes")


def datalist_text(datalist: Datalist, folder: Path) -> str:
    """Return a datalist as JSON text.

    Args:
        datalist: items by section; relative paths are relative to `folder`.
        folder: folder of the JSON file; the paths in the text are relative to that folder.
    """
    content = {section: [_entry(item, folder) for item in datalist.get(section, [])] for section in SECTIONS}
    return readable_json(content) + "\n"


def _entry(item: Item, folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {key: _relative(item[key], folder) for key in _FILE_KEYS if key in item}
    entry |= {key: value for key, value in item.items() if key not in (*_FILE_KEYS, "tags")}
    tags = known_tags(item.get("tags", {}))
    return {**entry, "tags": tags} if tags else entry


def _relative(path: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(folder / path, folder)).as_posix()
    except ValueError:  # on another Windows drive, which no relative path can reach
        return Path(path).as_posix()


def read_datalist(path: Path, dataset: Path) -> tuple[Datalist, list[Fault]]:
    """Return the readable items in a datalist, with absolute paths, and every fault in the file.

    Args:
        path: the JSON file.
        dataset: the data set folder; faults name files relative to this folder.

    Raises:
        DatasetError: the file does not exist, or is not JSON.
    """
    sections: Datalist = {section: [] for section in SECTIONS}
    try:
        content = parse_json(read_text(path))
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such datalist; write one with `cellseg data split`") from None
    except ValueError as error:
        raise DatasetError(f"{path}: not a JSON file ({error}); write the file again") from error
    place = place_of(path, dataset)
    if not isinstance(content, dict) or not any(section in content for section in SECTIONS):
        message = f"expected a JSON object with the lists {', '.join(SECTIONS)}; write the file again"
        return sections, [Fault(place, "datalist", message)]
    faults = []
    for name in content.keys() - set(SECTIONS):
        if isinstance(content[name], list):
            message = f"unknown section {name!r}, whose items would be ignored; did you mean {_nearest(name)!r}?"
            faults.append(Fault(place, "datalist", message))
    for section in SECTIONS:
        entries = content.get(section, [])
        if not isinstance(entries, list):
            faults.append(Fault(place, "datalist", f"{section}: expected a list of items; write the file again"))
            continue
        for number, entry in enumerate(entries):
            item, item_faults = _read_item(entry, path.parent)
            if item is not None:
                sections[section].append(item)
            faults += [Fault(place, kind, f"{section}[{number}]: {message}") for kind, message in item_faults]
    listed = [item for items in sections.values() for item in items]
    tags_of = {place_of(Path(item["image"]), dataset): item.get("tags", {}) for item in listed}
    faults += [Fault(place, "datalist", message) for message in mixed_tags(tags_of)]
    return sections, faults


def _nearest(name: str) -> str:
    """Return the section that a wrong name probably refers to."""
    meant = SECTION_NAMES.get(name.lower())
    return meant or max(SECTIONS, key=lambda section: difflib.SequenceMatcher(None, name.lower(), section).ratio())


def _read_item(entry: Any, folder: Path) -> tuple[Item | None, list[tuple[str, str]]]:
    """Return an item with absolute paths, or None if it names no image, and its faults as (kind, message) pairs."""
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
        return None, [("datalist", 'no path under "image"; add the path of the image file')]
    faults = []
    group = entry["image"] if entry.get("group") is None else str(entry["group"])
    item: Item = {"image": os.path.normpath(folder / entry["image"]), "group": group}
    if isinstance(entry.get("label"), str):
        item["label"] = os.path.normpath(folder / entry["label"])
    elif entry.get("label") is not None:
        message = f"got the label {entry['label']!r}, expected a path; omit the key for an image without a label"
        faults.append(("datalist", message))
    faults += _read_classes(entry, folder, item)
    tags, messages = read_tags(entry)
    if tags:
        item["tags"] = tags
    faults += [("datalist", message) for message in messages]
    for key in _FILE_KEYS:
        if key in item and not Path(item[key]).is_file():
            faults.append(("missing-file", f"{key} {entry[key]!r} not found; add the file, or remove it from the list"))
    return item, faults


def _read_classes(entry: dict[str, Any], folder: Path, item: Item) -> list[tuple[str, str]]:
    """Add the classes of the cells to an item, and return the faults as (kind, message) pairs."""
    faults = []
    if isinstance(entry.get("classes"), str):
        item["classes"] = os.path.normpath(folder / entry["classes"])
    elif entry.get("classes") is not None:
        faults.append(f"got the classes {entry['classes']!r}, expected the path of a table or an image; correct it")
    names = entry.get("class_names")
    if names is not None:
        try:
            item["class_names"] = list(check_class_names(names))
        except (TypeError, ValueError) as error:
            faults.append(f"class_names: {error}")
    if "classes" in item and "label" not in item:
        faults.append("got classes for an image without a label; add the label, or remove the classes")
    return [("datalist", message) for message in faults]
