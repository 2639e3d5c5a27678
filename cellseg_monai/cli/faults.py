"""Checks before a command begins, and errors that are reported at its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.faults import Fault

__all__ = ["check_folder", "fail_if"]


def check_folder(output: str) -> None:
    """Refuse a file as the folder for results, before any work is done."""
    if Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"--output {output} is a file, expected a folder; name another one")


def fail_if(faults: Sequence[Fault | str]) -> None:
    """Print each fault as an error; if there are any, end the program with the exit code 1."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        raise SystemExit(1)
