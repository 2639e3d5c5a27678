import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events

from cellseg_monai.errors import CheckpointError
from cellseg_monai.training import Checkpoint, History, load_into, read_checkpoint, save_checkpoint
from cellseg_monai.training.checkpoint import move_earlier_run_aside


def linear(inputs: int = 2) -> torch.nn.Module:
    return torch.nn.Linear(inputs, 1)


def load_weights(network: torch.nn.Module, path: Path) -> torch.nn.Module:
    load_into(network, read_checkpoint(path), path)
    return network


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
        (b"version https://git-lfs.github.com/spec/v1", "not a checkpoint that can be read"),
    ],
    ids=["missing", "empty", "broken", "text"],
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
    for content in ("first", "second"):
        (tmp_path / "model.pt").write_text(content)
        move_earlier_run_aside(tmp_path)
    assert {path.read_text() for path in tmp_path.glob("earlier_*/model.pt")} == {"first", "second"}
    assert not (tmp_path / "model.pt").exists()


class Trainer(Engine):
    """An engine with what `Checkpoint` and its fellows read, training a network that has dropout on noise."""

    def __init__(self, output_dir: Path, resume: bool, learning_rate: float = 0.1) -> None:
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(), torch.nn.Linear(4, 1))
        self.optimizer = torch.optim.Adam(self.network.parameters(), learning_rate)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=3, gamma=0.5)
        super().__init__(self.step)
        self.state.device = torch.device("cpu")
        self.evaluator = Engine(lambda engine, batch: None)
        self.evaluator.state.best_metric, self.evaluator.state.best_metric_epoch = -1, -1
        self.add_event_handler(Events.EPOCH_COMPLETED, self.validate)
        History(str(output_dir), self.evaluator).attach(self)
        record = {"bundle": "toy", "variants": [], "roi_size": (4, 4)}
        parts = (self.network, self.optimizer, self.schedule, self.evaluator)
        Checkpoint(str(output_dir), *parts, record, {"learning_rate": learning_rate}, resume).attach(self)

    def step(self, engine: Engine, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        self.optimizer.zero_grad()
        loss = self.network(batch + torch.rand(1)).square().mean()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return {"loss": loss, "image": batch}

    def validate(self) -> None:
        # Epoch 2 is the best.
        score = 1 - abs(self.state.epoch - 2) / 10
        self.evaluator.state.epoch, self.evaluator.state.metrics = self.state.epoch, {"dice": score}
        if score > self.evaluator.state.best_metric:
            self.evaluator.state.best_metric, self.evaluator.state.best_metric_epoch = score, self.state.epoch

    def train(self, stop_after: int = 5) -> "Trainer":
        self.add_event_handler(Events.EPOCH_COMPLETED(once=stop_after), self.terminate)
        self.run([torch.ones(2, 4)] * 3, max_epochs=5)
        return self


def test_a_resumed_run_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    whole = Trainer(tmp_path / "whole", resume=False).train()
    Trainer(tmp_path / "parts", resume=False).train(stop_after=3)
    resumed = Trainer(tmp_path / "parts", resume=True).train()
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], weights), name
    assert [row["loss"] for row in resumed.state.history] == [row["loss"] for row in whole.state.history]
    assert resumed.schedule.get_last_lr() == whole.schedule.get_last_lr()
    assert resumed.evaluator.state.best_metric_epoch == 2
    best = [torch.load(tmp_path / run / "model.pt")["0.weight"] for run in ("whole", "parts")]
    assert torch.equal(*best)


def test_resume_without_a_run_starts_one_and_keeps_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("weights without a run")
    Trainer(tmp_path, resume=True).train(stop_after=1)
    assert [path.read_text() for path in tmp_path.glob("earlier_*/model.pt")] == ["weights without a run"]
    assert torch.load(tmp_path / "last.pt")["epoch"] == 1


def test_a_better_network_takes_the_place_of_what_was_fitted_to_the_earlier_one(tmp_path: Path) -> None:
    Trainer(tmp_path, resume=False).train(stop_after=1)
    (tmp_path / "postprocess.json").write_text('{"threshold": 0.3}')
    Trainer(tmp_path, resume=True).train(stop_after=1)
    assert torch.load(tmp_path / "last.pt")["best_metric_epoch"] == 2
    assert not (tmp_path / "postprocess.json").exists()


def test_resume_with_other_settings_names_them(tmp_path: Path) -> None:
    Trainer(tmp_path, resume=False).train(stop_after=1)
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.1, now 0\.2"):
        Trainer(tmp_path, resume=True, learning_rate=0.2).train()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".last.pt.0123.part").write_text("half")
    (tmp_path / ".data.0123.part").mkdir()  # of another program, still at work perhaps
    Trainer(tmp_path, resume=False).train(stop_after=1)
    assert [path.name for path in tmp_path.glob(".*")] == [".data.0123.part"]
