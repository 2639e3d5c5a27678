"""Checks at the start of a command, and reports of notes and errors at its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.faults import Fault
    from cellseg_monai.io import Note

__all__ = ["check_folder", "fail_if", "print_notes"]


def check_folder(output: str) -> None:
    """Check, before any work is done, that the output folder is not a file.

    Raises:
        ValueError: there is a file at this path.
    """
    if Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"--output {output} is a file, not a folder; choose another --output")


def fail_if(faults: Sequence[Fault | str]) -> None:
    """Print each fault as an error, and exit with code 1 if there are any."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
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
        print(f"note: {path}: {note.text}{more}", file=sys.stderr)
