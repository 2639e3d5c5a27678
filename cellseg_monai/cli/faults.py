"""How a command ends that could not do all that it was asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.data import Fault

__all__ = ["fail_if"]


def fail_if(faults: Sequence[Fault | str]) -> None:
    """Print each fault as an error; if there are any, end with the exit code 1."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        raise SystemExit(1)
