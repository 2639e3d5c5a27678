"""Whether bfloat16 is faster than float32, measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

__all__ = ["TOLERATED_SLOWDOWN", "time_ratio"]

TOLERATED_SLOWDOWN = 1.4
"""In the middle between hardware with bfloat16, about 0.5, and without, about 3, so that the choice is stable."""

_TRIALS = 4


def time_ratio(first: Callable[[], object], second: Callable[[], object], device: torch.device) -> float:
    """Measure the time of a call as a multiple of the time of another.

    Both are called in turn, up to four times, and the shortest times count.

    Args:
        first: the call to be measured.
        second: the call that it is compared with.
        device: where both work.

    Returns:
        The multiple, or NaN if the time is too short to be measured.
    """
    # On a CPU, count the time of its own work in a single thread, so that other programs on a busy machine do not
    # affect the result: threads that wait for each other would take any time.
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    seconds = [float("inf")] * 2
    with _one_thread():
        for trial in range(_TRIALS):
            for number, call in enumerate((second, first)):
                begun = clock()
                call()
                seconds[number] = min(seconds[number], clock() - begun)
            if trial > 0 and seconds[1] <= seconds[0]:  # the first trial is for warming up
                break
    return seconds[1] / seconds[0] if seconds[0] > 0 else float("nan")


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
