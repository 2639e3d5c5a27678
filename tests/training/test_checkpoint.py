"""Checkpoints: saving, loading, resuming, and the errors of each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events

from cellseg_monai.errors import CheckpointError
from cellseg_monai.training import Checkpoint, History, WeightAverage, load_into, read_checkpoint, save_checkpoint
from cellseg_monai.training.checkpoint import move_earlier_run_aside


def linear(inputs: int = 2) -> torch.nn.Module:
    return torch.nn.Linear(inputs, 1)


def load_weights(network: torch.nn.Module, path: Path) -> torch.nn.Module:
    load_into(network, read_checkpoint(path), path)
    return network


def test_saved_weights_can_be_loaded(tmp_path: Path) -> None:
    saved = linear()
    save_checkpoint(saved.state_dict(), tmp_path / "model.pt")
    assert torch.equal(load_weights(linear(), tmp_path / "model.pt").weight, saved.weight)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_weights_can_be_loaded_from_the_state_of_a_run(tmp_path: Path) -> None:
    saved = linear()
    save_checkpoint({"network": saved.state_dict(), "optimizer": {}, "epoch": 3}, tmp_path / "last.pt")
    assert torch.equal(load_weights(linear(), tmp_path / "last.pt").weight, saved.weight)


def test_a_full_disk_leaves_the_earlier_checkpoint_intact(tmp_path: Path) -> None:
    # A limit on the file size interrupts the writing as a full disk would. It is set in a separate process.
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
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"cannot write {tmp_path / 'model.pt'}" in process.stdout
    assert "File too large" in process.stdout
    assert "--resume True" in process.stdout
    assert torch.load(tmp_path / "model.pt")["weight"].shape == (4,)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no checkpoint at"),
        (b"", "is not a readable checkpoint"),
        (b"PK\x03\x04 half of a checkpoint", "is not a readable checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1", "is not a readable checkpoint"),
    ],
    ids=["missing", "empty", "broken", "text"],
)
def test_an_unreadable_checkpoint_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_weights(linear(), path)


def test_a_checkpoint_with_code_is_refused_without_advice_to_run_it(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"weight": Trap()}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="it is damaged, or holds more than tensors") as caught:
        load_weights(linear(), tmp_path / "model.pt")
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_network_are_refused_and_none_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(linear(3).state_dict(), tmp_path / "model.pt")
    network = linear(2)
    before = network.weight.detach().clone()
    with pytest.raises(CheckpointError, match=r"1 have another shape \(for example weight\)"):
        load_weights(network, tmp_path / "model.pt")
    assert torch.equal(network.weight, before)


def test_an_earlier_run_is_moved_aside_and_not_overwritten(tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "model.pt").write_text(content)
        move_earlier_run_aside(tmp_path)
    assert {path.read_text() for path in tmp_path.glob("earlier_*/model.pt")} == {"first", "second"}
    assert not (tmp_path / "model.pt").exists()


class Trainer(Engine):
    """An engine with the state that the handlers read; it trains a network with dropout on random numbers."""

    def __init__(self, output_dir: Path, resume: bool, learning_rate: float = 0.1, averaging: float = 0.0) -> None:
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
        metadata = {"bundle": "toy", "variants": [], "roi_size": (4, 4)}
        self.average = WeightAverage(self.network, averaging)
        self.average.attach(self)
        parts = (self.average.network, self.optimizer, self.schedule, self.evaluator)
        settings = {"learning_rate": learning_rate}
        Checkpoint(str(output_dir), *parts, metadata, settings, resume, self.average).attach(self)

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


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_a_resumed_run_gives_the_same_result_bit_for_bit(tmp_path: Path, averaging: float) -> None:
    whole = Trainer(tmp_path / "whole", resume=False, averaging=averaging).train()
    Trainer(tmp_path / "parts", resume=False, averaging=averaging).train(stop_after=3)
    resumed = Trainer(tmp_path / "parts", resume=True, averaging=averaging).train()
    for name, weights in whole.average.network.state_dict().items():
        assert torch.equal(resumed.average.network.state_dict()[name], weights), name
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], weights), name
    assert [row["loss"] for row in resumed.state.history] == [row["loss"] for row in whole.state.history]
    assert resumed.schedule.get_last_lr() == whole.schedule.get_last_lr()
    assert resumed.evaluator.state.best_metric_epoch == 2
    best = [torch.load(tmp_path / run / "model.pt")["0.weight"] for run in ("whole", "parts")]
    assert torch.equal(*best)


def test_resuming_without_a_run_starts_one_and_keeps_existing_files(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("weights without a run")
    Trainer(tmp_path, resume=True).train(stop_after=1)
    assert [path.read_text() for path in tmp_path.glob("earlier_*/model.pt")] == ["weights without a run"]
    assert torch.load(tmp_path / "last.pt")["epoch"] == 1


def test_a_better_network_removes_the_settings_fitted_to_the_earlier_one(tmp_path: Path) -> None:
    Trainer(tmp_path, resume=False).train(stop_after=1)
    (tmp_path / "postprocess.json").write_text('{"threshold": 0.3}')
    Trainer(tmp_path, resume=True).train(stop_after=1)
    assert torch.load(tmp_path / "last.pt")["best_metric_epoch"] == 2
    assert not (tmp_path / "postprocess.json").exists()


def test_resuming_with_other_settings_is_refused_with_their_names(tmp_path: Path) -> None:
    Trainer(tmp_path, resume=False).train(stop_after=1)
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.1, now 0\.2"):
        Trainer(tmp_path, resume=True, learning_rate=0.2).train()


def test_temporary_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".last.pt.0123.part").write_text("half")
    (tmp_path / ".data.0123.part").mkdir()  # another program may still be using it
    Trainer(tmp_path, resume=False).train(stop_after=1)
    assert [path.name for path in tmp_path.glob(".*")] == [".data.0123.part"]
