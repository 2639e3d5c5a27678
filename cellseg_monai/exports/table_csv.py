"""Write and read measurements as CSV, one row per object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import ObjectTable
from cellseg_monai.spreadsheets import cell_text, read_rows, text_of_cell, writing_table

__all__ = ["read", "write"]

_TEXT = ("flags", "class", "image_class")  # columns that hold no numbers
_MEAN, _CLASS = "mean_", "mean_class_"


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the table at full precision, leaving the cells of unknown values empty.

    Args:
        path: file to write.
        segmentation: objects whose table to write.
    """
    columns = segmentation.table.columns
    with writing_table(path, columns, line_end="\n") as table:
        table.write_numbers(zip(*map(_cells, columns.values()), strict=True))


def read(path: Path) -> ObjectTable:
    """Read a table written by `write`, with exactly the same numbers.

    Args:
        path: file to read.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not an object table.
    """
    try:
        head, *rows = read_rows(path) or [[]]
        head = list(map(text_of_cell, head))
        if "id" not in head or len(set(head)) < len(head) or any(len(row) != len(head) for row in rows):
            raise ValueError("no id column, two columns of one name, or rows of unequal length")
        columns = zip(*rows, strict=True) if rows else [()] * len(head)
        values = {
            name: np.array(list(map(text_of_cell, cells)), np.str_) if name in _TEXT else _values(cells)
            for name, cells in zip(head, columns, strict=True)
        }
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{path} is not an object table ({error}); export the table again with `--export csv`"
        ) from error
    means = [name.removeprefix(_MEAN) for name in head if name.startswith(_MEAN)]
    channels = tuple(name for name in means if {f"min_{name}", f"max_{name}"} <= values.keys())
    classes = tuple(name.removeprefix(_CLASS) for name in head if "class" in values and name.startswith(_CLASS))
    return ObjectTable(values, channels, tuple(name for name in classes if f"class_{name}" not in channels))


def _values(cells: Sequence[str]) -> np.ndarray:
    if cells and set(cells) <= {"True", "False"}:
        return np.array([cell == "True" for cell in cells])
    if any("_" in cell for cell in cells):  # Python reads 1_5 as 15
        raise ValueError("a cell holds an underscore, expected numbers")
    if all(cell.isdigit() for cell in cells):
        return np.array(cells, np.int64)
    return np.array([float(cell or "nan") for cell in cells])


def _cells(column: np.ndarray) -> list:
    if column.dtype.kind in "OU":  # a column that the user added
        return [cell_text(str(value)) for value in column.tolist()]
    if column.dtype.kind != "f":
        return column.tolist()
    return [value if value == value else "" for value in column.tolist()]
