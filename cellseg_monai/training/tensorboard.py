"""TensorBoard logs of a run: curves, and panels that show image, ground truth and prediction side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel
from torch.utils.tensorboard import SummaryWriter

from cellseg_monai.labels import draw_outlines
from cellseg_monai.networks import attention_maps
from cellseg_monai.pixels import rescale, rescale_labels
from cellseg_monai.training.distributed import is_writer

__all__ = ["TensorBoardLog", "panel", "side_by_side"]


LONGEST_SIDE = 1024
ATTENDED_SIDE = 512


def panel(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return a picture of image, ground truth and prediction side by side, with row 0 at the top as in the file.

    Args:
        image: C×Y×X pixels. Their range is stretched from black to white. The channels are averaged unless C is 1 or 3.
        truth: 1×Y×X or Y×X mask with values from 0 to 1, resampled to the size of the image if necessary.
        prediction: 1×Y×X or Y×X mask with values from 0 to 1, resampled to the size of the image if necessary.

    Returns:
        Y×(3X + 8)×3 uint8, with white lines 4 px wide between the parts. If a side is longer than 1024 px, only every
        n-th row and column is kept, with the smallest n that brings it down to 1024 px.

    >>> dark, bright = np.zeros((1, 2, 2)), np.ones((1, 2, 2))
    >>> panel(dark, bright, dark)[0, :, 0].tolist()
    [0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0]
    """
    step = -(-max(image.shape[-2:]) // LONGEST_SIDE)
    size = (image.shape[-2], image.shape[-1])
    masks = [rescale_labels(mask.reshape(mask.shape[-2:]), size) for mask in (truth, prediction)]
    image, *masks = (array[..., ::step, ::step] for array in (image, *masks))
    return side_by_side([_stretched(image), *masks])


def outline_panel(image: np.ndarray, truth: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Return the image, the image with true outlines, and the image with predicted outlines, side by side.

    Args:
        image: C×Y×X pixels. Their range is stretched from black to white. The channels are averaged unless C is 1 or 3.
            The image is resampled to the size of `truth` if necessary.
        truth: 1×Y×X or Y×X ids of the true objects.
        objects: 1×Y×X or Y×X ids of the predicted objects, with the same Y and X as `truth`.

    Returns:
        Y×(3X + 8)×3 uint8, with white lines 4 px wide between the parts. If a side is longer than 1024 px, only every
        n-th row and column is kept, with the smallest n that brings it down to 1024 px.

    >>> outline_panel(np.zeros((1, 1, 2)), np.array([[0, 1]]), np.array([[0, 0]]))[0, :, 2].tolist()
    [0, 0, 255, 255, 255, 255, 0, 25, 255, 255, 255, 255, 0, 0]
    """
    truth, objects = (labels.reshape(labels.shape[-2:]) for labels in (truth, objects))
    image = rescale(_stretched(image), (truth.shape[0], truth.shape[1]))
    step = -(-max(truth.shape) // LONGEST_SIDE)
    image, truth, objects = (array[..., ::step, ::step] for array in (image, truth, objects))
    outlines = [draw_outlines(image, labels).transpose(2, 0, 1) / 255 for labels in (truth, objects)]
    return side_by_side([image, *outlines])


def attention_panel(image: np.ndarray, *maps: np.ndarray) -> np.ndarray:
    """Return a picture of an image and its attention maps side by side.

    Args:
        image: C×Y×X pixels. Their range is stretched from black to white. The channels are averaged unless C is 1 or 3.
        maps: attention maps, each 1×Y×X with values from 0 (black) to 1 (white).

    Returns:
        Y×X'×3 uint8, with white lines 4 px wide between the parts.
    """
    return side_by_side([_stretched(image), *maps])


def _stretched(image: np.ndarray) -> np.ndarray:
    if image.shape[0] not in (1, 3):
        image = image.mean(axis=0, keepdims=True)
    low, high = float(image.min()), float(image.max())
    return (image.astype(np.float32) - low) / max(high - low, 1e-6)


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures of equal size, 1×Y×X, 3×Y×X or Y×X from 0 to 1, as one, with white lines 4 px wide between them.

    Returns:
        Y×X'×3 uint8.
    """
    height, width = pictures[0].shape[-2:]
    parts = []
    for picture in pictures:
        channels = picture if picture.ndim == 3 else picture[np.newaxis]
        parts += [np.ones((3, height, 4)), np.broadcast_to(channels, (3, height, width))]
    return np.round(np.concatenate(parts[1:], axis=2).transpose(1, 2, 0) * 255).astype(np.uint8)


class TensorBoardLog:
    """A handler that logs loss, learning rate, validation metrics and panels to `<output_dir>/tensorboard/<time>`.

    MONAI's own handlers flush in every iteration, open one event file each, and transpose the images.

    The panels show outlines if the evaluator yields the label images `objects` and `truth`, and masks otherwise. Other
    pictures, which handlers of the evaluator left in `evaluator.state.pictures`, are logged under their names. What
    `FirstValidation` found before the first step is logged as epoch 0.

    Args:
        output_dir: the run folder.
        evaluator: the validation engine.
        network: the network. If it has attention gates, the log also shows their maps for the first validation image.
        amp: True to compute the attention maps in bfloat16, as in mixed-precision training.
        n_panels: number of validation images to show, starting with the first.
    """

    def __init__(
        self, output_dir: str, evaluator: Engine, network: torch.nn.Module, amp: bool = False, n_panels: int = 3
    ) -> None:
        self.folder = Path(output_dir) / "tensorboard" / time.strftime("%Y%m%d_%H%M%S")
        self.evaluator = evaluator
        self.network = network.module if isinstance(network, DistributedDataParallel) else network
        self.amp = amp
        self.n_panels = n_panels
        self._panels: list[np.ndarray] = []
        self._attended: torch.Tensor | None = None

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after the handlers that validate, and with the evaluator."""
        if not is_writer():
            return
        trainer.add_event_handler(Events.STARTED, self._open)
        trainer.add_event_handler(Events.EPOCH_STARTED(once=1), self._log_first)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._log_iteration)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._log_epoch)
        trainer.add_event_handler(Events.COMPLETED, self._close)
        trainer.add_event_handler(Events.TERMINATE, self._close)
        if self.n_panels:
            self.evaluator.add_event_handler(Events.STARTED, self._panels.clear)
            self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect_panels)

    def _open(self) -> None:
        # With a long queue and interval, the file is flushed only at the end of each epoch.
        self._writer = SummaryWriter(str(self.folder), max_queue=10_000, flush_secs=3600)

    def _log_iteration(self, trainer: Engine) -> None:
        step = trainer.state.iteration
        self._writer.add_scalar("train/loss", trainer.state.output["loss"].detach(), step)
        self._writer.add_scalar("train/learning_rate", trainer.optimizer.param_groups[0]["lr"], step)
        for name, part in getattr(trainer.loss_function, "parts", {}).items():
            self._writer.add_scalar(f"train/loss of {name}", part, step)

    def _log_first(self) -> None:
        if self.evaluator.state.metrics:
            self._log_validation(0)

    def _log_epoch(self, trainer: Engine) -> None:
        epoch = trainer.state.epoch
        if self.evaluator.state.epoch == epoch:
            self._log_validation(epoch)
        self._writer.flush()

    def _log_validation(self, epoch: int) -> None:
        for name, value in self.evaluator.state.metrics.items():
            self._writer.add_scalar(f"validation/{name}", float(value), epoch)
        for index, picture in enumerate(self._panels):
            self._writer.add_image(f"validation/{index}: image, truth, prediction", picture, epoch, dataformats="HWC")
        for name, picture in getattr(self.evaluator.state, "pictures", {}).items():
            self._writer.add_image(f"validation/{name}", picture, epoch, dataformats="HWC")
        self._log_attention(epoch)

    def _log_attention(self, epoch: int) -> None:
        if self._attended is None:
            return
        with torch.autocast(self._attended.device.type, dtype=torch.bfloat16, enabled=self.amp):
            maps = attention_maps(self.network, self._attended)
        if maps:
            picture = attention_panel(*(_array(part[0]) for part in (self._attended, *maps)))
            self._writer.add_image("validation/0: attention, deepest gate first", picture, epoch, dataformats="HWC")

    def _collect_panels(self, evaluator: Engine) -> None:
        if not self._panels:
            # The top left corner is small enough for a GPU to process in one piece.
            self._attended = evaluator.state.output[0]["image"][None, :, :ATTENDED_SIDE, :ATTENDED_SIDE]
        for item in evaluator.state.output:
            if len(self._panels) < self.n_panels:
                image = _array(item["image"])
                if "objects" in item:
                    ids = (np.asarray(torch.as_tensor(item[key]).cpu()) for key in ("truth", "objects"))
                    self._panels.append(outline_panel(image, *ids))
                else:
                    self._panels.append(panel(image, *(_array(item[key]) for key in ("label", "pred"))))

    def _close(self) -> None:
        self._writer.close()


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().float().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
