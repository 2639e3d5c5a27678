"""Killed runs, and simultaneous runs in one folder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from cellseg_monai.datasets.preparing import prepare
from cellseg_monai.errors import DatasetError
from tests.contracts.preparer import contents, save_pairs
from tests.processes import wait_until_gone

SCRIPT = """
import sys
from cellseg_monai.datasets.preparing import prepare

if __name__ == "__main__":
    prepare(sys.argv[1], sys.argv[2], workers=2)
"""


@pytest.fixture
def raw(tmp_path):
    return save_pairs(tmp_path / "raw", [f"č{number}" for number in range(150)], (60, 80))


def children(process):
    listing = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    return [int(number) for number in listing.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the test lists processes as on Linux")
def test_a_second_run_is_refused_and_a_killed_one_leaves_neither_processes_nor_a_lock(raw, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    whole, output = contents(prepare(raw, tmp_path / "whole", workers=1).output), tmp_path / "out"
    process = subprocess.Popen([sys.executable, tmp_path / "script.py", raw, output], stderr=subprocess.DEVNULL)
    journal = output / ".prepared.journal"
    while process.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") > 1):
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    with pytest.raises(FileExistsError, match="out: another `cellseg data prepare` is writing to this folder"):
        prepare(raw, output, workers=1)
    workers = children(process)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    wait_until_gone(workers)
    with journal.open("ab") as file:
        file.write('{"stem": "č'.encode()[:-1])  # cut off in a letter
    done = prepare(raw, output, workers=1)
    assert (done.images, done.faults) == (150, [])
    assert 0 < done.written < 150
    assert contents(output) == whole


def test_a_run_that_was_killed_at_the_start_can_be_repeated(raw, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    for name in (".prepared.lock", "..prepared.journal.0123456789ab.part"):
        (output / name).touch()
    assert prepare(raw, output, workers=1).images == 150
    assert not list(output.glob(".*"))


def test_a_file_in_place_of_the_output_is_refused(raw, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DatasetError, match="out: got a file, expected a folder for the prepared set"):
        prepare(raw, tmp_path / "out")


def test_a_failed_run_leaves_no_folder(raw, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no files match the layout"):
        prepare(tmp_path / "empty", tmp_path / "out", layout="ctc")
    assert not (tmp_path / "out").exists()
