"""Tables that a run leaves."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["read_table"]


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
