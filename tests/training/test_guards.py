"""Divergence, final validation and early stopping."""

import pytest
import torch
from ignite.engine import Engine, Events

from cellseg_monai.errors import TrainingError
from cellseg_monai.training import DivergenceGuard, EarlyStop, FinalValidation


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


@pytest.mark.parametrize(("interval", "patience", "last"), [(1, 3, 4), (1, 0, 20), (5, 3, 10), (5, 7, 15)], ids=str)
def test_early_stopping_waits_for_a_validation(interval: int, patience: int, last: int) -> None:
    engine, validator = trainer([1.0] * 20), Validator()
    engine.add_event_handler(Events.EPOCH_COMPLETED(every=interval), lambda: validator.run(engine.state.epoch))
    EarlyStop(validator, patience).attach(engine)
    engine.run([0], max_epochs=20)
    assert engine.state.epoch == last
