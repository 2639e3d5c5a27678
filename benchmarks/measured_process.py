"""Running a command in its own process, with its time and its peak memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measured", "run_measured"]

_EVERY_S = 0.05


@dataclass(frozen=True)
class Measured:
    """Time and memory of a finished command.

    Args:
        seconds: time from start to end.
        peak_mb: peak memory of the process in MB, without that of processes which it started.
    """

    seconds: float
    peak_mb: int


def run_measured(command: Sequence[str], log: Path) -> Measured:
    """Run a command to its end, and write what it prints to a file.

    Raises:
        RuntimeError: the command failed; the message is the last line that it printed.
    """
    begun, peak = time.perf_counter(), 0
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        # `ru_maxrss` would start with the memory of this process.
        while process.poll() is None:
            peak = max(peak, _peak_bytes(process.pid))
            time.sleep(_EVERY_S)
    if process.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {process.returncode}")
    return Measured(time.perf_counter() - begun, round(peak / 1e6))


def _peak_bytes(process: int) -> int:
    """Return the peak memory of a running process, or 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
