"""Early stopping when the validation score no longer improves."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events

__all__ = ["EarlyStop"]

logger = logging.getLogger(__name__)


class EarlyStop:
    """A handler that ends the training once the best score is `patience` epochs old.

    It counts from the best epoch, which the checkpoint holds, so a resumed run stops when the uninterrupted run would
    have. Ignite's `EarlyStopping` counts its calls, and must be given the trainer, which does not exist yet.

    Args:
        evaluator: the validation engine, which knows the best epoch.
        patience: number of epochs to wait for a better score; 0 never stops. The run ends only after a validation,
            so with `val_interval` above 1 it can wait longer.
    """

    def __init__(self, evaluator: Engine, patience: int) -> None:
        self.evaluator = evaluator
        self.patience = patience

    def attach(self, trainer: Engine) -> None:
        """Listen to the trainer. Attach this handler after `Checkpoint`, so that a resumed run knows its best epoch."""
        trainer.add_event_handler(Events.STARTED, self._check)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        validated, best = self.evaluator.state.epoch == trainer.state.epoch, self.evaluator.state.best_metric_epoch
        if self.patience and validated and best > 0 and trainer.state.epoch - best >= self.patience:
            logger.info(f"no better score since epoch {best}: stopping after epoch {trainer.state.epoch}")
            trainer.terminate()
