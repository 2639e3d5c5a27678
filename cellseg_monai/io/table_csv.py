"""Measurements as CSV: a row an object."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.io.segmentation import Segmentation

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the table, all digits kept; a value that is not known is an empty cell.

    Args:
        path: the file.
        segmentation: whose table.
    """
    columns = segmentation.table.columns
    with replacing(path) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*map(_cells, columns.values()), strict=True))


def _cells(column: np.ndarray) -> list:
    if column.dtype.kind != "f":
        return column.tolist()
    return [value if value == value else "" for value in column.tolist()]
