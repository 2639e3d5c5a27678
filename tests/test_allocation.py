"""Freed memory stays with a process that asks for it."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
from threading import Thread
import numpy as np
{first}
def work():
    for _ in range(6):
        np.ones(2**24)
for turn in range(2):  # the first round allocates the memory
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = Thread(target=work)
    thread.start()
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first):
    code = FAULTS.format(first=first)
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can keep freed memory")
def test_memory_freed_by_a_thread_is_reused_without_the_system():
    by_default = page_faults("")
    kept = page_faults("from cellseg_monai.allocation import keep_freed_memory; keep_freed_memory()")
    assert kept < by_default / 4
