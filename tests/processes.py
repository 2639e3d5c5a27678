"""Waiting for processes that a test did not start itself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable


def _is_alive(number: int) -> bool:
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)
    # A zombie has ended, but its parent has not collected it yet.
    return bool(status.stdout.strip()) and not status.stdout.startswith("Z")


def wait_until_gone(numbers: Iterable[int], within_s: float = 60) -> None:
    """Wait until processes have ended; fail if any is still alive after `within_s` seconds.

    On their own, the processes must live longer than that, or the test proves nothing.
    """
    deadline, alive = time.monotonic() + within_s, list(numbers)
    while alive := [number for number in alive if _is_alive(number)]:
        assert time.monotonic() < deadline, f"still alive after {within_s} s: {alive}"
        time.sleep(0.02)
