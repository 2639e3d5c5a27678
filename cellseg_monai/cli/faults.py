"""Checks of counts at the start of a command, and reports of notes and errors at its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.printing import print_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.faults import Fault
    from cellseg_monai.flag import Flag
    from cellseg_monai.io import Note

__all__ = ["check_workers", "fail_if", "print_flags", "print_notes"]

_NAMED = 3  # number of images named in a line about a flag


_PROCESSES_A_PROCESSOR = 4


def check_workers(workers: int | None) -> None:
    """Refuse a number of processes that would stop the machine instead of using it.

    Raises:
        ValueError: the number is below 1, or far more than the processors.
    """
    processors = os.cpu_count() or 1
    most = _PROCESSES_A_PROCESSOR * max(processors, 4)  # a few processes do no harm to the smallest machine
    if workers is not None and not 1 <= workers <= most:
        raise ValueError(
            f"got --workers {workers}, expected 1 to {most} processes, because this machine has {processors} "
            "processor(s); leave it out to use them all"
        )


def fail_if(faults: Sequence[Fault | str]) -> None:
    """Print each fault as an error, and exit with code 1 if there are any."""
    for fault in faults:
        print_error(f"error: {fault}")
    if faults:
        raise SystemExit(1)


def print_notes(notes: Sequence[tuple[Path, Note]]) -> None:
    """Print one note of each kind, with the number of other images that have it; run.json contains all notes."""
    of_kind: dict[str, list[tuple[Path, Note]]] = {}
    for path, note in notes:
        of_kind.setdefault(note.kind, []).append((path, note))
    for same in of_kind.values():
        path, note = same[0]
        others = len({path for path, _ in same}) - 1
        more = f" (and {others} more image(s), see the notes in run.json)" if others else ""
        print_error(f"note: {path}: {note.text}{more}")


def print_flags(flags: Sequence[tuple[Path, Flag]]) -> None:
    """Print one line for each kind of flag, with its severity, its meaning and the first images that have it."""
    from cellseg_monai.quality import FLAGS

    of_kind: dict[str, dict[Path, Flag]] = {kind: {} for kind in FLAGS}
    for path, flag in flags:
        of_kind[flag.kind].setdefault(path, flag)
    for kind, images in of_kind.items():
        if not images:
            continue
        severity = next(iter(images.values())).severity
        named = ", ".join(path.name for path in list(images)[:_NAMED]) + (", …" if len(images) > _NAMED else "")
        print_error(
            f"{severity}: {len(images)} image(s) flagged {kind}: {FLAGS[kind]}: {named}; see flags in run.json and in "
            "the tables",
        )
