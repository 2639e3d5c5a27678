"""Early stopping once the validation score no longer improves."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events

__all__ = ["EarlyStop"]

logger = logging.getLogger(__name__)


class EarlyStop:
    """A handler that stops training when the score has not improved for `patience` epochs.

    The handler counts from the best epoch, which the checkpoint records, so a resumed run stops in the same epoch as
    the uninterrupted run. Ignite's `EarlyStopping` counts its own calls instead, and its constructor needs the trainer,
    which the recipe builds later.

    Args:
        evaluator: the validation engine, which records the best epoch.
        patience: number of epochs to wait for a better score; 0 disables early stopping. Training stops only after a
            validation, so the wait can be longer if `val_interval` is above 1.
    """

    def __init__(self, evaluator: Engine, patience: int) -> None:
        self.evaluator = evaluator
        self.patience = patience

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after `Checkpoint`, which restores a resumed run's best epoch."""
        trainer.add_event_handler(Events.STARTED, self._check)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        validated, best = self.evaluator.state.epoch == trainer.state.epoch, self.evaluator.state.best_metric_epoch
        if self.patience and validated and best > 0 and trainer.state.epoch - best >= self.patience:
            logger.info(f"the score has not improved since epoch {best}; stopping after epoch {trainer.state.epoch}")
            trainer.terminate()
