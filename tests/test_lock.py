"""Locks of folders: against other processes, against kills, and where nothing can be locked."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cellseg_monai.lock import only_one

HOLD = (
    "import sys, time; from pathlib import Path; from cellseg_monai.lock import only_one\n"
    "with only_one(Path(sys.argv[1]), 'cellseg data prepare'):\n"
    "    print('held', flush=True); time.sleep(60)"
)
TAKE_TURNS = """
import sys
from pathlib import Path
from cellseg_monai.lock import only_one

folder, turns = Path(sys.argv[1]), 0
while turns < 200:
    try:
        with only_one(folder / ".lock", "test"):
            (folder / "busy").mkdir()
            (folder / "busy").rmdir()
            turns += 1
    except FileExistsError as error:
        assert "another `test` is writing to this folder" in str(error), error
"""


def test_a_second_call_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    lock = tmp_path / "out" / ".lock"
    with only_one(lock, "cellseg data prepare"):
        message = rf"out: another `cellseg data prepare` is writing to this folder: process {os.getpid()} on .+; wait"
        with pytest.raises(FileExistsError, match=message), only_one(lock, "cellseg data prepare"):
            pass
        assert lock.is_file()
    assert not lock.parent.exists()
    with only_one(lock, "cellseg data prepare"):
        (lock.parent / "mine").touch()
    assert [path.name for path in lock.parent.iterdir()] == ["mine"]


def test_a_file_of_another_program_is_not_replaced_by_a_lock(tmp_path: Path) -> None:
    lock, mine = tmp_path / ".lock", tmp_path / "mine.txt"
    mine.write_text("mine")
    lock.write_text("mine")
    for make in (lambda: None, lambda: lock.symlink_to(mine), lambda: os.mkfifo(lock)):
        make()
        with pytest.raises(FileExistsError, match="not a lock of this program"), only_one(lock, "test"):
            pass
        lock.unlink()
    assert mine.read_text() == "mine"


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FileExistsError, match=f"process {holder.pid} on"), only_one(lock, "cellseg data prepare"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert lock.is_file()
    with only_one(lock, "cellseg data prepare"):
        assert f"process {os.getpid()} on" in lock.read_text()
    assert not lock.exists()


def test_processes_that_take_turns_never_hold_the_lock_together(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKE_TURNS, str(tmp_path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate()[1] for process in processes]
    assert (errors, [process.returncode for process in processes]) == (["", "", ""], [0, 0, 0])
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_block_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), only_one(tmp_path / ".lock", "cellseg data prepare"):
        raise ValueError("mine")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a place where not even root can write")
def test_no_lock_is_needed_if_nothing_can_be_written() -> None:
    with only_one(Path("/sys/.lock"), "cellseg data prepare"), only_one(Path("/sys/.lock"), "cellseg data prepare"):
        assert not Path("/sys/.lock").exists()
    with pytest.raises(ValueError, match="mine") as caught, only_one(Path("/sys/.lock"), "cellseg data prepare"):
        raise ValueError("mine")
    assert caught.value.__context__ is None


@pytest.mark.skipif(sys.platform == "win32", reason="flock is not used on Windows")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks_is_reported_and_used(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_one(tmp_path / ".lock", "cellseg data prepare"):
        assert list(tmp_path.iterdir()) == []
    assert (
        f"{tmp_path}: the file system does not support locks; make sure that no other process writes here"
        in caplog.text
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_the_lock_file_of_another_user_is_respected_if_the_folder_can_be_written(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise OSError(number, os.strerror(number), str(path))

    (tmp_path / ".lock").touch()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"\.lock"), only_one(tmp_path / ".lock", "cellseg data prepare"):
        pytest.fail("ran without the lock")
