"""What a command says and checks before it imports PyTorch and MONAI."""

import subprocess
import sys
from types import ModuleType

import pytest

from cellseg_monai.cli.loading import say_loading

LIGHT = """
import sys
from cellseg_monai import cli
sys.argv = ["cellseg", *sys.argv[1:]]
try:
    cli.main()
finally:
    assert not {"torch", "monai"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "list"], ""),
        (["segment", "nowhere", "--output", "out"], "error: nowhere: there is no such file or folder"),
        (["segment", "a.npy", "--output", "out", "--export", "tiff"], "error: got export 'tiff'"),
        (["segment", "a.npy", "--output", "out", "--bundle", "nuclie"], "did you mean 'nuclei'?"),
        (["segment", "a.npy", "--output", "out", "--export", "labels", "--report"], "add labels and csv"),
        (["calibrate", "data", "--output", "out", "--bundle", "nuclie"], "did you mean 'nuclei'?"),
        (["finetune", "data", "--output", "out", "--bundle", "nuclie"], "did you mean 'nuclei'?"),
        (["bundle", "check", "nuclie"], "did you mean 'nuclei'?"),
        (["bundle", "copy", "nuclie", "--output", "out"], "did you mean 'nuclei'?"),
    ],
    ids=str,
)
def test_mistakes_are_reported_before_pytorch_is_imported(words, message, tmp_path):
    (tmp_path / "a.npy").write_bytes(b"")
    command = [sys.executable, "-c", LIGHT, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert message in done.stderr
    assert "AssertionError" not in done.stderr
    assert done.returncode == (1 if message else 0)


def test_the_line_is_printed_only_if_there_is_something_to_wait_for(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "monai", ModuleType("monai"))
    say_loading()
    assert capsys.readouterr().err == ""
    monkeypatch.delitem(sys.modules, "monai")
    say_loading()
    assert capsys.readouterr().err.startswith("loading PyTorch and MONAI")
