"""The history of a training run: one row per epoch in `metrics.csv`."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from cellseg_monai.spreadsheets import writing_table
from cellseg_monai.training.distributed import is_writer, mean_over_processes, process_count

__all__ = ["History"]

logger = logging.getLogger(__name__)

Row = dict[str, Any]


class History:
    """A handler that writes one row per epoch to `metrics.csv`: loss, learning rate, speed and validation metrics.

    `seconds` is the duration of the whole epoch, including validation. `images_per_second` is the number of training
    crops in all processes divided by the time spent in training iterations.

    The rows are kept in `trainer.state.history`, which the checkpoint stores, and the handler rewrites the whole file
    after each epoch. The file of a resumed run therefore contains every epoch exactly once. In epochs without
    validation, the cells of the validation metrics are empty. If `FirstValidation` has validated the network before its
    first step, the first row is epoch 0, with these metrics alone.

    Args:
        output_dir: folder for `metrics.csv`.
        evaluator: the validation engine, which provides the validation metrics.
    """

    def __init__(self, output_dir: str, evaluator: Engine) -> None:
        self.path = Path(output_dir) / "metrics.csv"
        self.evaluator = evaluator

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after the handlers that validate."""
        trainer.state.history = []
        trainer.add_event_handler(Events.EPOCH_STARTED(once=1), self._add_first)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._add_loss)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _add_first(self, trainer: Engine) -> None:
        if self.evaluator.state.metrics:
            trainer.state.history.append({"epoch": 0, **self._metrics()})

    def _metrics(self) -> Row:
        return {name: float(value) for name, value in self.evaluator.state.metrics.items()}

    def _start(self, trainer: Engine) -> None:
        self._began = time.monotonic()
        self._loss = torch.zeros((), device=trainer.state.device)
        self._iterations = self._images = 0

    def _add_loss(self, trainer: Engine) -> None:
        # Sum on the device, because reading the value here would stall the GPU in every iteration.
        self._loss += trainer.state.output["loss"].detach()
        self._iterations += 1
        self._images += len(trainer.state.output["image"])
        self._trained = time.monotonic()
        self._learning_rate = trainer.optimizer.param_groups[0]["lr"]

    def _end(self, trainer: Engine) -> None:
        row: Row = {
            "epoch": trainer.state.epoch,
            "loss": mean_over_processes(self._loss, self._iterations),
            "learning_rate": self._learning_rate,
            "seconds": round(time.monotonic() - self._began, 3),
            "images_per_second": round(self._images * process_count() / (self._trained - self._began), 3),
        }
        if self.evaluator.state.epoch == trainer.state.epoch:
            row |= self._metrics()
        trainer.state.history.append(row)
        if is_writer():
            try:
                self._write(trainer.state.history)
            except OSError as error:
                # A spreadsheet program may have locked the file. The next epoch writes all rows again.
                logger.warning(f"cannot update metrics.csv: {error}; close any program that has the file open")

    def _write(self, rows: list[Row]) -> None:
        # The last row comes first: epoch 0 lacks the columns that stand at the beginning.
        columns = list(dict.fromkeys(name for row in reversed(rows) for name in row))
        with writing_table(self.path, columns) as table:
            for row in rows:
                table.write(row.get(name, "") for name in columns)
