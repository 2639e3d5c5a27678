"""Processes that a test looks for from outside."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable


def _alive(number: int) -> bool:
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)
    # A zombie was killed, and is not yet fetched by whoever inherited it.
    return bool(told.stdout.strip()) and not told.stdout.startswith("Z")


def wait_until_gone(numbers: Iterable[int], within_s: float = 60) -> None:
    """Wait for the end of processes; they must live longer than that where nothing ends them."""
    until, left = time.monotonic() + within_s, list(numbers)
    while left := [number for number in left if _alive(number)]:
        assert time.monotonic() < until, f"still there after {within_s} s: {left}"
        time.sleep(0.02)
