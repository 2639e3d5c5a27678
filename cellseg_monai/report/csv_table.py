"""Reading the CSV tables in a run folder."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["read_table"]


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each a dict from column name to cell text."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
