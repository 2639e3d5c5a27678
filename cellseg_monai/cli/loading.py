"""Saying what a command waits for while its libraries are imported."""

from __future__ import annotations

import sys

from cellseg_monai.cli.printing import print_error

__all__ = ["say_loading"]


def say_loading() -> None:
    """Say that loading PyTorch and MONAI takes seconds, unless it has been done; call this before any slow import."""
    if "monai" not in sys.modules:
        print_error("loading PyTorch and MONAI, which takes several seconds ...")
