"""A fault of a data set, and how a list of them reads."""

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
        place: the file, relative to the data set where it lies within, with "/" on every system.
        kind: a short name for the sort of fault, such as "missing-partner".
        message: what was found, what was expected, what to do.
        severity: an "error" spoils training or a score; a "warning" is worth a look.

    >>> print(Fault("labels/a.tif", "id-gap", "ids 1 to 3, of which 2 is missing", "warning"))
    labels/a.tif: id-gap (warning): ids 1 to 3, of which 2 is missing
    """

    place: str
    kind: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        mark = " (warning)" if self.severity == "warning" else ""
        return f"{self.place}: {self.kind}{mark}: {self.message}"


def format_faults(faults: Sequence[Fault]) -> str:
    """The faults as text, one per line, with a closing count.

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
    """The error that carries all these faults in its message."""
    return DatasetError(f"{dataset}: the data set cannot be used as it stands\n{format_faults(faults)}")


def place_of(path: Path, dataset: Path) -> str:
    """The path as a fault names it: relative to the data set if it lies within.

    >>> place_of(Path("/data/set/images/a.tif"), Path("/data/set"))
    'images/a.tif'
    """
    try:
        return path.relative_to(dataset).as_posix()
    except ValueError:
        return path.as_posix()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
