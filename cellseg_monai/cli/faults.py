"""Errors that a command reports at its end, and counts that it refuses before it begins."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.faults import Fault

__all__ = ["check_workers", "fail_if"]


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
    """Print each fault as an error; if there are any, end the program with the exit code 1."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        raise SystemExit(1)
