"""History of a run, epoch by epoch, as `metrics.csv`."""

from __future__ import annotations

import csv
import logging
import time
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from cellseg_monai.atomic import replacing
from cellseg_monai.training.distributed import is_writer, mean_over_processes, process_count

__all__ = ["History"]

logger = logging.getLogger(__name__)

Row = dict[str, Any]


class History:
    """A handler that keeps one row per epoch (loss, learning rate, speed, validation metrics) and writes `metrics.csv`.

    `seconds` is the time of the whole epoch with its validation. `images_per_second` counts the training crops of all
    processes over the time of the training iterations alone.

    The rows are kept in `trainer.state.history`, which the checkpoint holds, and the whole file is rewritten each time.
    After a crash and a resume it therefore contains each epoch once. Epochs without validation have empty cells.

    Args:
        output_dir: folder for `metrics.csv`.
        evaluator: the validation engine, whose metrics go into the row of the epoch.
    """

    def __init__(self, output_dir: str, evaluator: Engine) -> None:
        self.path = Path(output_dir) / "metrics.csv"
        self.evaluator = evaluator

    def attach(self, trainer: Engine) -> None:
        """Listen to the trainer. Attach this handler after its `ValidationHandler`."""
        trainer.state.history = []
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._add_loss)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _start(self, trainer: Engine) -> None:
        self._began = time.monotonic()
        self._loss = torch.zeros((), device=trainer.state.device)
        self._iterations = self._images = 0

    def _add_loss(self, trainer: Engine) -> None:
        # Summed on the device: reading the value here would stall the GPU in every iteration.
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
            row |= {name: float(value) for name, value in self.evaluator.state.metrics.items()}
        trainer.state.history.append(row)
        if is_writer():
            try:
                self._write(trainer.state.history)
            except OSError as error:
                # It may be open in a spreadsheet. The checkpoint holds the rows, which are written again next epoch.
                logger.warning(f"metrics.csv is not up to date: {error}; close programs that have it open")

    def _write(self, rows: list[Row]) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with replacing(self.path) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
