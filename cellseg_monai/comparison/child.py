"""Running commands as child processes with a log, and measuring their time and peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ChildError", "Usage", "run_child"]

_TICK_SECONDS = 0.5

# On Linux, the peak memory of a child includes the memory of its parent at the time of the fork. Since this process can
# be large, a small Python process starts the child instead, and prints its exit code and peak memory.
_BETWEEN = """
import os, sys
with open(sys.argv[1], "ab") as log, open(os.devnull) as nothing:
    ends = [(os.POSIX_SPAWN_DUP2, file.fileno(), end) for end, file in enumerate((nothing, log, log))]
    child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=ends)
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


class ChildError(RuntimeError):
    """A child process failed; the message gives the reason in one line."""


@dataclass(frozen=True)
class Usage:
    """Time and memory that a child process used.

    Args:
        seconds: wall time.
        peak_memory_mb: peak main memory in MB of 10**6 bytes, without GPU memory. If the child starts workers, this is
            the peak of the largest process. None on Windows, which does not report it.
    """

    seconds: float
    peak_memory_mb: float | None


def run_child(command: Sequence[str], log: Path, *, while_waiting: Callable[[], None] = lambda: None) -> Usage:
    """Run a command until it exits, and append its output to a log.

    If this process is interrupted, it kills the child.

    Args:
        command: the command and its arguments; the first is an absolute path.
        log: log file; its folder is created if needed.
        while_waiting: function to call twice a second until the command exits.

    Returns:
        Time and memory that the command used.

    Raises:
        ChildError: the command failed. The message contains its exit code and error, or the signal that killed it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        file.write(f"$ {subprocess.list2cmdline(command)}\n".encode("utf-8", "backslashreplace"))
        began_at, began = file.tell(), time.monotonic()
        process = _start(command, log, file.fileno())
    try:
        printed = _wait(process, while_waiting)
    except BaseException:
        _kill(process)
        raise
    code, peak = (int(word) for word in printed.split()) if printed.strip() else (process.returncode, 0)
    if code != 0:
        raise ChildError(_reason(code, log, began_at))
    # Linux reports KiB, and macOS reports bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(time.monotonic() - began, peak * unit / 1e6 if peak else None)


def _start(command: Sequence[str], log: Path, log_descriptor: int) -> subprocess.Popen[bytes]:
    # Python would otherwise import modules from the working folder, which can hold a numpy.py of somebody else.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    if sys.platform == "win32":
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_descriptor,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=environment,
        )
    between = [sys.executable, "-I", "-S", "-c", _BETWEEN, str(log), *command]
    # A new session, so that both processes can be killed together.
    return subprocess.Popen(
        between, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, env=environment
    )


def _wait(process: subprocess.Popen[bytes], while_waiting: Callable[[], None]) -> bytes:
    while True:
        try:
            return process.communicate(timeout=_TICK_SECONDS)[0] or b""
        except subprocess.TimeoutExpired:
            while_waiting()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _reason(code: int, log: Path, began_at: int) -> str:
    if code < 0:
        killed = f"killed by {signal.Signals(-code).name}"
        return f"{killed}; memory may have run out" if -code == signal.SIGKILL else killed
    with open(log, "rb") as file:
        file.seek(began_at)
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    last = errors[-1] if errors else lines[-1] if lines else "no output"
    return f"exit code {code}: {last.removeprefix('error: ')}"
