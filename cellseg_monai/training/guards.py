"""What must not pass unseen in a training: a loss that is no number, a last epoch that nobody scored."""

from __future__ import annotations

import math

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from cellseg_monai.errors import TrainingError

__all__ = ["DivergenceGuard", "FinalValidation"]


class DivergenceGuard:
    """Ends a training whose loss is no longer a finite number, before its weights replace good ones.

    Once a weight is NaN every later loss is, so the last loss of an epoch tells.
    """

    def attach(self, trainer: Engine) -> None:
        """Start listening to the trainer; must come first among its handlers."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        loss = trainer.state.output["loss"].item()
        if not math.isfinite(loss):
            epoch = trainer.state.epoch
            raise TrainingError(
                f"the loss is {loss} in epoch {epoch}: the training has diverged; start anew with a lower "
                f"--learning_rate (what was saved up to epoch {epoch - 1} is untouched)"
            )


class FinalValidation:
    """Validates the last epoch, whatever the interval: the network that a run ends with is always scored.

    Args:
        validator: the validating engine.
    """

    def __init__(self, validator: Evaluator) -> None:
        self.validator = validator

    def attach(self, trainer: Engine) -> None:
        """Start listening to the trainer; must come after its `ValidationHandler`."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._validate)

    def _validate(self, trainer: Engine) -> None:
        epoch = trainer.state.epoch
        if epoch == trainer.state.max_epochs and self.validator.state.epoch != epoch:
            self.validator.run(epoch)
