"""Checks at the start of a command, and error reports at its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.faults import Fault

__all__ = ["check_folder", "fail_if"]


def check_folder(output: str) -> None:
    """Check, before any work is done, that the output folder is not a file.

    Raises:
        ValueError: there is a file at this path.
    """
    if Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"--output {output} is a file, expected a folder; choose another --output")


def fail_if(faults: Sequence[Fault | str]) -> None:
    """Print each fault as an error, and exit with code 1 if there are any."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        raise SystemExit(1)
