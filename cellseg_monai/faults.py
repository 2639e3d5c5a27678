"""Faults in a data set, and their text form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellseg_monai.errors import DatasetError
from cellseg_monai.one_line import Lines, lines

__all__ = ["Fault", "dataset_error", "format_faults", "place_of"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Fault:
    """One fault in a data set.

    Args:
        place: path of the file, relative to the data set if the file is inside it, with "/" on every system.
        kind: short name for the kind of fault, such as "missing-partner".
        message: what was found, what was expected, and what to do.
        severity: "error" if the fault spoils training or a score, "warning" if it is worth a look.

    >>> print(Fault("labels/a.tif", "id-gap", "id 2 is missing", "warning"))
    labels/a.tif: id-gap (warning): id 2 is missing
    """

    place: str
    kind: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        mark = " (warning)" if self.severity == "warning" else ""
        return f"{self.place}: {self.kind}{mark}: {self.message}"


def format_faults(faults: Sequence[Fault]) -> Lines:
    """Return the faults as text, one per line, followed by the totals.

    >>> print(format_faults([]))
    no faults found
    >>> print(format_faults([Fault("images/a.tif", "missing-partner", "no label with this name")]))
    images/a.tif: missing-partner: no label with this name
    1 error, 0 warnings in 1 place
    """
    if not faults:
        return lines("no faults found")
    errors = sum(fault.severity == "error" for fault in faults)
    places = len({fault.place for fault in faults})
    total = f"{_count(errors, 'error')}, {_count(len(faults) - errors, 'warning')} in {_count(places, 'place')}"
    return lines(*faults, total)


def dataset_error(dataset: Path, faults: Sequence[Fault]) -> DatasetError:
    """Return an error whose message lists every fault in a data set."""
    return DatasetError(lines(f"{dataset}: the data set cannot be used as it is", *format_faults(faults).split("\n")))


def place_of(path: Path, dataset: Path) -> str:
    """Return a path as faults show it: relative to the data set if it is inside, otherwise unchanged.

    >>> place_of(Path("/data/set/images/a.tif"), Path("/data/set"))
    'images/a.tif'
    """
    try:
        return path.relative_to(dataset).as_posix()
    except ValueError:
        return path.as_posix()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
