"""Faults of a data set, and their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellseg_monai.errors import DatasetError

__all__ = ["Fault", "dataset_error", "format_faults", "place_of"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong with a data set.

    Args:
        place: the file, relative to the data set if it is inside, with "/" on every system.
        kind: short name for the kind of fault, such as "missing-partner".
        message: the finding, what it should be, and what to do.
        severity: "error" if it spoils training or a score, "warning" if it is worth a look.

    >>> print(Fault("labels/a.tif", "id-gap", "ids 1 to 3 without 2", "warning"))
    labels/a.tif: id-gap (warning): ids 1 to 3 without 2
    """

    place: str
    kind: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        mark = " (warning)" if self.severity == "warning" else ""
        return f"{self.place}: {self.kind}{mark}: {self.message}"


def format_faults(faults: Sequence[Fault]) -> str:
    """Return the faults as text, one per line, followed by their number.

    >>> print(format_faults([]))
    no faults found
    >>> print(format_faults([Fault("images/a.tif", "missing-partner", "no label of that name")]))
    images/a.tif: missing-partner: no label of that name
    1 error, 0 warnings in 1 place
    """
    if not faults:
        return "no faults found"
    errors = sum(fault.severity == "error" for fault in faults)
    places = len({fault.place for fault in faults})
    total = f"{_count(errors, 'error')}, {_count(len(faults) - errors, 'warning')} in {_count(places, 'place')}"
    return "\n".join([*map(str, faults), total])


def dataset_error(dataset: Path, faults: Sequence[Fault]) -> DatasetError:
    """Return the error whose message contains all faults of a data set."""
    return DatasetError(f"{dataset}: the data set cannot be used as it is\n{format_faults(faults)}")


def place_of(path: Path, dataset: Path) -> str:
    """Return the path as a fault names it: relative to the data set if it is inside.

    >>> place_of(Path("/data/set/images/a.tif"), Path("/data/set"))
    'images/a.tif'
    """
    try:
        return path.relative_to(dataset).as_posix()
    except ValueError:
        return path.as_posix()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
