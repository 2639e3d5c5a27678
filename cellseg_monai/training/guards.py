"""Guards against a training that diverges, and against a last epoch without a score.

The last epoch is always validated, whatever `val_interval` is. A loss that is not finite ends the run before its
weights replace good ones.
"""

from __future__ import annotations

import math

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from cellseg_monai.errors import TrainingError

__all__ = ["DivergenceGuard", "FinalValidation"]


class DivergenceGuard:
    """A handler that ends a training whose loss is no longer finite, before its weights replace good ones.

    Once a weight is NaN, every later loss is NaN too, so it is enough to check the last loss of each epoch.
    """

    def attach(self, trainer: Engine) -> None:
        """Listen to the trainer. Attach this handler before all others."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        loss = trainer.state.output["loss"].item()
        if not math.isfinite(loss):
            epoch = trainer.state.epoch
            raise TrainingError(
                f"the training has diverged: got a loss of {loss} in epoch {epoch}, expected a finite number; start "
                f"again with a lower --learning_rate (checkpoints up to epoch {epoch - 1} are untouched)"
            )


class FinalValidation:
    """A handler that always validates the last epoch, so that the final network of a run has a score.

    Args:
        validator: the validation engine.
    """

    def __init__(self, validator: Evaluator) -> None:
        self.validator = validator

    def attach(self, trainer: Engine) -> None:
        """Listen to the trainer. Attach this handler after its `ValidationHandler`."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._validate)

    def _validate(self, trainer: Engine) -> None:
        epoch = trainer.state.epoch
        if epoch == trainer.state.max_epochs and self.validator.state.epoch != epoch:
            self.validator.run(epoch)
