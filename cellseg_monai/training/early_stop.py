"""Stopping when validation has not got better for a while."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events

__all__ = ["EarlyStop"]

logger = logging.getLogger(__name__)


class EarlyStop:
    """Ends the training once the best score is `patience` epochs old.

    The count is the distance to the best epoch, which the checkpoint keeps: a resumed run stops when the
    uninterrupted one would have. Ignite's `EarlyStopping` counts calls and needs the trainer before it exists.

    Args:
        evaluator: the validating engine, whose best epoch counts.
        patience: epochs to wait for a better score; 0 never stops. The run ends after a validation only, so with
            `val_interval` above 1 it may wait longer.
    """

    def __init__(self, evaluator: Engine, patience: int) -> None:
        self.evaluator = evaluator
        self.patience = patience

    def attach(self, trainer: Engine) -> None:
        """Start listening to the trainer; must come after `Checkpoint`, so that a resumed run knows its best epoch."""
        trainer.add_event_handler(Events.STARTED, self._check)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        validated, best = self.evaluator.state.epoch == trainer.state.epoch, self.evaluator.state.best_metric_epoch
        if self.patience and validated and best > 0 and trainer.state.epoch - best >= self.patience:
            logger.info(f"no better score since epoch {best}: stopping after epoch {trainer.state.epoch}")
            trainer.terminate()
