"""One training per folder, sizes of crops, divergence, final validation and early stopping."""

import json
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader, TensorDataset

from cellseg_monai.errors import TrainingError
from cellseg_monai.lock import only_one
from cellseg_monai.networks import unet
from cellseg_monai.training import CropGuard, DivergenceGuard, EarlyStop, FinalValidation, FirstValidation, OneTraining


def trainer(losses: list[float]) -> Engine:
    """Return an engine with one step per epoch and these losses."""
    return Engine(lambda engine, batch: {"loss": torch.tensor(losses[engine.state.epoch - 1])})


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training_before_anything_is_saved(loss: float) -> None:
    engine, saved = trainer([1.0, loss]), []
    DivergenceGuard().attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: saved.append(engine.state.epoch))
    with pytest.raises(TrainingError, match=f"training has diverged: got a loss of {loss} in epoch 2"):
        engine.run([0], max_epochs=3)
    assert saved == [1]


class Validator(Engine):
    """An engine that records the epochs to validate; the first stays the best."""

    def __init__(self) -> None:
        super().__init__(lambda engine, batch: None)
        self.epochs: list[int] = []
        self.state.best_metric_epoch = -1

    def run(self, epoch: int) -> None:
        self.epochs.append(epoch)
        self.state.epoch = epoch
        if self.state.best_metric_epoch < 0:
            self.state.best_metric_epoch = epoch


@pytest.mark.parametrize(("interval", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (9, [5])])
def test_the_last_epoch_is_validated_once_at_any_interval(interval: int, expected: list[int]) -> None:
    engine, validator = trainer([1.0] * 5), Validator()
    engine.add_event_handler(Events.EPOCH_COMPLETED(every=interval), lambda: validator.run(engine.state.epoch))
    FinalValidation(validator).attach(engine)
    engine.run([0], max_epochs=5)
    assert validator.epochs == expected


def test_a_run_is_validated_as_epoch_0_before_its_first_step_and_never_as_the_best() -> None:
    engine, validator, seen = trainer([1.0] * 2), Engine(lambda engine, batch: None), []
    validator.state.best_metric, validator.state.best_metric_epoch = -1.0, -1

    def run() -> None:
        seen.append(engine.state.iteration)
        validator.state.best_metric, validator.state.best_metric_epoch, validator.state.epoch = 0.9, 1, 1

    validator.run = run
    FirstValidation(validator).attach(engine)
    engine.run([0], max_epochs=2)
    assert seen == [0]
    assert (validator.state.best_metric, validator.state.best_metric_epoch, validator.state.epoch) == (-1.0, -1, 0)


@pytest.mark.parametrize(("interval", "patience", "last"), [(1, 3, 4), (1, 0, 20), (5, 3, 10), (5, 7, 15)], ids=str)
def test_early_stopping_waits_for_a_validation(interval: int, patience: int, last: int) -> None:
    engine, validator = trainer([1.0] * 20), Validator()
    engine.add_event_handler(Events.EPOCH_COMPLETED(every=interval), lambda: validator.run(engine.state.epoch))
    EarlyStop(validator, patience).attach(engine)
    engine.run([0], max_epochs=20)
    assert engine.state.epoch == last


def test_a_second_training_in_the_folder_is_refused_and_the_lock_ends_with_the_first(tmp_path: Path) -> None:
    lock, seen = tmp_path / "out" / "cellseg_monai.lock", []
    engine, second = trainer([1.0]), trainer([1.0])
    for each in (engine, second):
        OneTraining(str(lock.parent)).attach(each)

    def try_a_second() -> None:
        seen.append(lock.exists())
        with pytest.raises(FileExistsError, match="another `training` is writing to this folder: process "):
            second.run([0], max_epochs=1)
        seen.append(lock.exists())

    engine.add_event_handler(Events.ITERATION_COMPLETED, try_a_second)
    engine.run([0], max_epochs=1)
    assert seen == [True, True]
    assert not lock.exists()
    second.run([0], max_epochs=1)


def test_a_training_that_fails_releases_the_folder_and_raises_its_error(tmp_path: Path) -> None:
    engine, told = trainer([float("nan")]), []
    OneTraining(str(tmp_path)).attach(engine)
    DivergenceGuard().attach(engine)
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda _, error: told.append(error))
    with pytest.raises(TrainingError, match="diverged"):
        engine.run([0], max_epochs=1)
    assert len(told) == 1
    with only_one(tmp_path / "cellseg_monai.lock", "training"):
        pass
    assert list(tmp_path.iterdir()) == []


def guarded(size: tuple[int, int], crops: int, batch_size: int, *, guard: bool = True) -> torch.nn.Module:
    """Begin a training on crops of a size, with or without the guard, and return its network."""
    torch.manual_seed(0)
    network = unet(channels=(2, 4, 4, 4, 4, 4))
    engine = Engine(lambda engine, batch: None)
    if guard:
        CropGuard(network, 1, size).attach(engine)
    engine.run(DataLoader(TensorDataset(torch.zeros(crops, 1)), batch_size=batch_size), max_epochs=1)
    return network


@pytest.mark.parametrize(("crops", "batch_size"), [(8, 1), (5, 4), (1, 4)], ids=["alone", "a rest", "one image"])
def test_crops_without_a_pixel_to_spare_are_refused_with_the_size_that_works(crops: int, batch_size: int) -> None:
    with pytest.raises(TrainingError) as refused:
        guarded((16, 16), crops, batch_size)
    assert "got crops of 16 × 16 px, on which the network cannot be trained in batches of 1" in str(refused.value)
    assert str(refused.value).endswith('use at least --roi_size "[48,48]", or a --batch_size that leaves no crop alone')
    guarded((48, 48), crops, batch_size)


def test_other_crops_pass_and_nothing_changes() -> None:
    unchecked, number = guarded((16, 32), 8, 4, guard=False), torch.rand(1)
    checked = guarded((16, 32), 8, 4)
    assert torch.rand(1) == number
    for name, value in checked.state_dict().items():
        assert torch.equal(value, unchecked.state_dict()[name])


def test_oblong_crops_are_not_turned_by_a_quarter() -> None:
    for path in Path(__file__).parents[2].glob("bundles/*/configs/train.json"):
        if path.parents[1].name == "scout":  # its views are always square
            continue
        turns = [step for step in json.loads(path.read_text())["augmentation"] if step["_target_"] == "RandRotate90d"]
        assert [step["_disabled_"] for step in turns] == ["$@roi_size[0] != @roi_size[1]"]
