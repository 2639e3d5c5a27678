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


def test_a_second_one_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    lock = tmp_path / "out" / ".lock"
    with only_one(lock, "cellseg data prepare"):
        with (
            pytest.raises(FileExistsError, match=r"out: another `cellseg data prepare` is at work in it; wait"),
            only_one(lock, "cellseg data prepare"),
        ):
            pass
        assert lock.is_file()
    assert not lock.parent.exists()
    with only_one(lock, "cellseg data prepare"):
        (lock.parent / "mine").touch()
    assert [path.name for path in lock.parent.iterdir()] == ["mine"]


def test_a_process_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FileExistsError), only_one(lock, "cellseg data prepare"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert lock.is_file()
    with only_one(lock, "cellseg data prepare"):
        pass
    assert not lock.exists()


def test_a_fault_within_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), only_one(tmp_path / ".lock", "cellseg data prepare"):
        raise ValueError("mine")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="a place where not even root may write")
def test_where_nothing_can_be_written_nothing_needs_to_be_kept_apart() -> None:
    with only_one(Path("/sys/.lock"), "cellseg data prepare"), only_one(Path("/sys/.lock"), "cellseg data prepare"):
        assert not Path("/sys/.lock").exists()
    with pytest.raises(ValueError, match="mine") as caught, only_one(Path("/sys/.lock"), "cellseg data prepare"):
        raise ValueError("mine")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_file_of_another_user_in_a_folder_that_can_be_written_keeps_out(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise OSError(number, os.strerror(number), str(path))

    (tmp_path / ".lock").touch()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"\.lock"), only_one(tmp_path / ".lock", "cellseg data prepare"):
        pytest.fail("it runs beside another one")
