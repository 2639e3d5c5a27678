"""What a run shows in TensorBoard: curves, and panels of image, truth and prediction."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.utils.tensorboard import SummaryWriter

from cellseg_monai.training.distributed import is_writer

__all__ = ["TensorBoardLog", "panel"]


LONGEST_SIDE = 1024


def panel(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Image, truth and prediction side by side, as they lie in the file: row 0 on top.

    Args:
        image: C×Y×X, any range, stretched to black and white; other than 1 or 3 channels are averaged.
        truth: 1×Y×X or Y×X mask, 0 to 1.
        prediction: the same.

    Returns:
        Y×(3X + 8)×3 uint8, with white lines of 4 px between the parts; of images with a side above 1024 px only
        every second, third, … row and column.

    >>> dark, bright = np.zeros((1, 2, 2)), np.ones((1, 2, 2))
    >>> panel(dark, bright, dark)[0, :, 0].tolist()
    [0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0]
    """
    step = -(-max(image.shape[-2:]) // LONGEST_SIDE)
    image, truth, prediction = (array[..., ::step, ::step] for array in (image, truth, prediction))
    if image.shape[0] not in (1, 3):
        image = image.mean(axis=0, keepdims=True)
    low, high = float(image.min()), float(image.max())
    stretched = (image.astype(np.float32) - low) / max(high - low, 1e-6)
    height, width = image.shape[-2:]
    parts = [np.broadcast_to(stretched, (3, height, width))]
    parts += [np.broadcast_to(mask.reshape(1, height, width), (3, height, width)) for mask in (truth, prediction)]
    line = np.ones((3, height, 4))
    joined = np.concatenate([parts[0], line, parts[1], line, parts[2]], axis=2)
    return np.round(joined.transpose(1, 2, 0) * 255).astype(np.uint8)


class TensorBoardLog:
    """Writes loss, learning rate, validation metrics and panels under `<output_dir>/tensorboard/<time>`.

    MONAI's handlers flush in every iteration, open an event file each and show images transposed.

    Args:
        output_dir: the run's folder.
        evaluator: the validating engine.
        n_panels: how many validation images are shown, the first ones.
    """

    def __init__(self, output_dir: str, evaluator: Engine, n_panels: int = 3) -> None:
        self.folder = Path(output_dir) / "tensorboard" / time.strftime("%Y%m%d_%H%M%S")
        self.evaluator = evaluator
        self.n_panels = n_panels
        self._panels: list[np.ndarray] = []

    def attach(self, trainer: Engine) -> None:
        """Start listening to trainer and evaluator; must come after the trainer's `ValidationHandler`."""
        if not is_writer():
            return
        trainer.add_event_handler(Events.STARTED, self._open)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._log_iteration)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._log_epoch)
        trainer.add_event_handler(Events.COMPLETED, self._close)
        trainer.add_event_handler(Events.TERMINATE, self._close)
        self.evaluator.add_event_handler(Events.STARTED, self._panels.clear)
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect_panels)

    def _open(self) -> None:
        # The queue is long and the timer too: the file is flushed at the end of each epoch, not in between.
        self._writer = SummaryWriter(str(self.folder), max_queue=10_000, flush_secs=3600)

    def _log_iteration(self, trainer: Engine) -> None:
        step = trainer.state.iteration
        self._writer.add_scalar("train/loss", trainer.state.output["loss"].detach(), step)
        self._writer.add_scalar("train/learning_rate", trainer.optimizer.param_groups[0]["lr"], step)

    def _log_epoch(self, trainer: Engine) -> None:
        epoch = trainer.state.epoch
        if self.evaluator.state.epoch == epoch:
            for name, value in self.evaluator.state.metrics.items():
                self._writer.add_scalar(f"validation/{name}", float(value), epoch)
            for index, picture in enumerate(self._panels):
                self._writer.add_image(
                    f"validation/{index}: image, truth, prediction", picture, epoch, dataformats="HWC"
                )
        self._writer.flush()

    def _collect_panels(self, evaluator: Engine) -> None:
        for item in evaluator.state.output:
            if len(self._panels) < self.n_panels:
                self._panels.append(panel(*(_array(item[key]) for key in ("image", "label", "pred"))))

    def _close(self) -> None:
        self._writer.close()


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().float().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
