import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cellseg_monai.errors import CheckpointError
from cellseg_monai.training import load_weights, save_checkpoint, start_run


def linear(inputs: int = 2) -> torch.nn.Module:
    return torch.nn.Linear(inputs, 1)


def test_weights_come_back(tmp_path: Path) -> None:
    saved = linear()
    save_checkpoint(saved.state_dict(), tmp_path / "model.pt")
    assert torch.equal(load_weights(linear(), tmp_path / "model.pt").weight, saved.weight)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_weights_come_out_of_a_whole_run_too(tmp_path: Path) -> None:
    saved = linear()
    save_checkpoint({"network": saved.state_dict(), "optimizer": {}, "epoch": 3}, tmp_path / "last.pt")
    assert torch.equal(load_weights(linear(), tmp_path / "last.pt").weight, saved.weight)


def test_a_file_too_large_for_the_disk_leaves_the_earlier_one(tmp_path: Path) -> None:
    # A limit on the size of files stops the writing where a full disk would, in a process of its own.
    script = f"""
import resource, signal, torch
from cellseg_monai.errors import CheckpointError
from cellseg_monai.training import save_checkpoint
path = {str(tmp_path / "model.pt")!r}
save_checkpoint({{"weight": torch.zeros(4)}}, path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint({{"weight": torch.zeros(1_000_000)}}, path)
except CheckpointError as error:
    print(error)
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"cannot write {tmp_path / 'model.pt'}" in done.stdout
    assert "File too large" in done.stdout
    assert "--resume True" in done.stdout
    assert torch.load(tmp_path / "model.pt")["weight"].shape == (4,)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no checkpoint at"),
        (b"", "not a checkpoint that can be read"),
        (b"PK\x03\x04 half of a checkpoint", "not a checkpoint that can be read"),
    ],
    ids=["missing", "empty", "broken"],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_weights(linear(), path)


def test_weights_of_another_network_are_refused_whole(tmp_path: Path) -> None:
    save_checkpoint(linear(3).state_dict(), tmp_path / "model.pt")
    network = linear(2)
    before = network.weight.detach().clone()
    with pytest.raises(CheckpointError, match=r"1 have another shape \(such as weight\)"):
        load_weights(network, tmp_path / "model.pt")
    assert torch.equal(network.weight, before)


def test_an_earlier_run_is_moved_aside_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("best")
    (tmp_path / ".last.pt.77.part").write_text("left by a killed process")
    start_run(str(tmp_path), resume=False)
    assert [path.read_text() for path in tmp_path.glob("earlier_*/*")] == ["best"]
    assert not (tmp_path / "model.pt").exists()
    assert not list(tmp_path.glob(".*"))


def test_an_earlier_run_to_resume_stays(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_text("state")
    start_run(str(tmp_path), resume=True)
    assert (tmp_path / "last.pt").read_text() == "state"
