"""The `index.csv` in published data sets, which assigns images to splits."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.errors import DatasetError
from cellseg_monai.text_file import read_text

__all__ = ["INDEX_NAME", "IndexRow", "read_index"]

INDEX_NAME = "index.csv"

_DELIMITERS = ",;\t|"
_IMAGE_NAMES = ("imageid", "image", "filename")


@dataclass(frozen=True)
class IndexRow:
    """A row of the index, which describes one image; `group` is empty if the index has no groups."""

    line: int
    image_id: str
    split: str
    group: str


def read_index(path: Path) -> list[IndexRow] | None:
    """Return the rows of an index with splits, or None if the file does not exist or is about something else.

    Column names can differ in case, spaces and underscores, and the delimiter can be a comma, semicolon, tab or |. The
    column of images is image_id, image or filename, whichever comes first in this order.

    Raises:
        DatasetError: the file is not UTF-8 text, or its header mentions image ids or splits without having exactly one
            column of each. Ignoring such a file would silently replace the published split.
    """
    if not path.exists() or path.is_dir():
        return None
    try:
        text = read_text(path, encoding="utf-8-sig")
    except ValueError as error:
        raise DatasetError(f"{path}: not UTF-8 text ({error}); save it again as a CSV file in UTF-8") from None
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    try:
        for delimiter in _DELIMITERS:
            names = [_squeezed(name) for name in next(csv.reader([header], delimiter=delimiter), [])]
            image_names = [name for name in _IMAGE_NAMES if name in names][:1]
            if image_names and all(names.count(name) == 1 for name in (*image_names, "split")):
                return _rows(lines, delimiter, names, image_names[0])
    except csv.Error as error:
        raise DatasetError(f"{path}: not a CSV file ({error}); save it again as a CSV file in UTF-8") from None
    if re.search(r"split|image[\W_]*id", header, re.IGNORECASE):
        raise DatasetError(
            f"{path}: got the header {header.strip()[:200]!r}, expected one column image_id (stems in images/) or "
            "image (file names) and one column split (train, val or test); rename these columns, or rename the file if "
            "it is not about splits"
        )
    return None


def _rows(lines: list[str], delimiter: str, names: list[str], image_name: str) -> list[IndexRow]:
    rows, has_header = [], False
    reader = csv.reader(lines, delimiter=delimiter)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if not has_header:
            has_header = True
            continue
        row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        rows.append(
            IndexRow(reader.line_num, row.get(image_name, ""), row.get("split", "").lower(), row.get("group", ""))
        )
    return rows


def _squeezed(name: str) -> str:
    """Reduce a name to its lower-case letters and digits: `Image_ID`, ` image id ` and `image-id` become the same."""
    return re.sub(r"[\W_]+", "", name).lower()
