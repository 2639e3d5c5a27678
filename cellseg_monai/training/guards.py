"""Guards against diverging training and against an unscored last epoch.

A loss that is not finite ends the run before bad weights overwrite good ones. The last epoch is always validated,
regardless of `val_interval`.
"""

from __future__ import annotations

import math

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from cellseg_monai.errors import TrainingError

__all__ = ["DivergenceGuard", "FinalValidation"]


class DivergenceGuard:
    """A handler that ends a run whose loss is no longer finite, before bad weights overwrite good ones.

    Once a weight is NaN, every later loss is NaN too, so checking the last loss of each epoch is enough.
    """

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, before all other handlers."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        loss = trainer.state.output["loss"].item()
        if not math.isfinite(loss):
            epoch = trainer.state.epoch
            raise TrainingError(
                f"training has diverged: got a loss of {loss} in epoch {epoch}, expected a finite number; start again "
                f"with a lower --learning_rate (the checkpoints up to epoch {epoch - 1} are intact)"
            )


class FinalValidation:
    """A handler that always validates the last epoch, so that the final network has a score.

    Args:
        validator: the validation engine.
    """

    def __init__(self, validator: Evaluator) -> None:
        self.validator = validator

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after its `ValidationHandler`."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._validate)

    def _validate(self, trainer: Engine) -> None:
        epoch = trainer.state.epoch
        if epoch == trainer.state.max_epochs and self.validator.state.epoch != epoch:
            self.validator.run(epoch)
