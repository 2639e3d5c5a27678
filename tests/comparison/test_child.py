import sys
import time
from pathlib import Path

import pytest

from cellseg_monai.comparison.child import ChildError, run_child
from tests.processes import wait_until_gone

HUNDRED_MB = "block = bytearray(100_000_000)"


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def test_output_of_both_kinds_is_appended_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log.txt"
    run_child(python("import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)"), log)
    run_child(python("print('again')"), log)
    lines = log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("$ ")] == ["out", "err", "again"]
    assert sum(line.startswith("$ ") for line in lines) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not report it")
def test_peak_memory_does_not_include_that_of_this_process(tmp_path: Path) -> None:
    mine = bytearray(300_000_000)
    little = run_child(python("pass"), tmp_path / "log.txt").peak_memory_mb
    much = run_child(python(HUNDRED_MB), tmp_path / "log.txt").peak_memory_mb
    assert 1 < little < 100
    assert 90 < much - little < 110
    assert len(mine) == 300_000_000


def test_wall_time_is_measured_and_the_callback_is_called_while_waiting(tmp_path: Path) -> None:
    ticks: list[int] = []
    began = time.monotonic()
    usage = run_child(
        python("import time; time.sleep(1.2)"), tmp_path / "log.txt", while_waiting=lambda: ticks.append(1)
    )
    assert 1.2 <= usage.seconds <= time.monotonic() - began
    assert len(ticks) >= 2


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; print('Traceback'); sys.exit('error: no weights')", "exit code 1: no weights"),
        ("raise KeyError('x')", "exit code 1: KeyError: 'x'"),
        ("raise SystemExit(3)", "exit code 3: no output"),
        ("import sys; sys.stderr.write('10 %\\r20 %\\rerror: a\\nlate warning'); sys.exit(2)", "exit code 2: a"),
    ],
    ids=["our own error", "any error", "no output", "after a progress bar"],
)
def test_the_message_of_a_failure_is_the_last_line(script: str, message: str, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("error: of an earlier command\n")
    with pytest.raises(ChildError) as caught:
        run_child(python(script), log)
    assert str(caught.value) == message


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_the_message_of_a_killed_child_names_the_signal(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="killed by SIGKILL; memory may have run out"):
        run_child(python("import os; os.kill(os.getpid(), 9)"), tmp_path / "log.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups")
def test_an_interruption_leaves_no_child_behind(tmp_path: Path) -> None:
    number = tmp_path / "pid"
    script = f"import os, time; open({str(number)!r}, 'w').write(str(os.getpid())); time.sleep(1000)"

    def interrupt() -> None:
        if number.exists() and number.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(python(script), tmp_path / "log.txt", while_waiting=interrupt)
    wait_until_gone([int(number.read_text())])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot leave out the working folder")
def test_modules_in_the_working_folder_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    run_child(python("import argparse"), tmp_path / "log.txt")
    run_child((sys.executable, "-m", "json.tool", "--help"), tmp_path / "log.txt")
