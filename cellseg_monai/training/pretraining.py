"""Training an encoder without labels: the loss, pictures of what it fills in, and the file with its weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.losses import ContrastiveLoss
from safetensors.torch import save_file
from torch import nn

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.errors import TrainingError
from cellseg_monai.networks import unwrapped
from cellseg_monai.training.distributed import is_writer
from cellseg_monai.training.guards import smallest_batch
from cellseg_monai.training.tensorboard import side_by_side

__all__ = ["CollapseWarning", "ContrastGuard", "EncoderFile", "InpaintingPictures", "PretrainingLoss"]

logger = logging.getLogger(__name__)


class PretrainingLoss(nn.Module):
    """The weighted sum of a contrastive loss and the error of inpainting.

    Views of one crop should be alike, and unlike those of other crops (NT-Xent; Chen et al. 2020, arXiv:2002.05709).
    A crop alone in its batch has no contrast. The error of inpainting is the mean absolute difference within the hidden
    blocks.

    Args:
        contrast: weight of the contrastive loss; 0 for a network without it.
        inpainting: weight of inpainting; 0 for a network without it.
        temperature: temperature of the contrastive loss.

    Attributes:
        parts: after a call, each loss by its name, without its weight.

    Raises:
        ValueError: a weight is negative, or both are 0.

    >>> loss = PretrainingLoss(contrast=0)
    >>> target = torch.tensor([[[[1.0, 1.0]], [[1.0, 0.0]]]])  # pixels, and where they were hidden
    >>> float(loss({"inpainted": torch.tensor([[[[0.5, 9.0]]]])}, target))
    0.5
    """

    def __init__(self, *, contrast: float = 1.0, inpainting: float = 1.0, temperature: float = 0.2) -> None:
        super().__init__()
        if min(contrast, inpainting) < 0 or contrast == inpainting == 0:
            raise ValueError(
                f"got contrast={contrast} and inpainting={inpainting}, expected weights of at least 0, and one above "
                "0; raise one of them"
            )
        self.contrast, self.inpainting = contrast, inpainting
        self.contrastive = ContrastiveLoss(temperature=temperature)
        self.parts: dict[str, torch.Tensor] = {}

    def forward(self, prediction: Mapping[str, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        """Return the loss, a scalar.

        Args:
            prediction: what a `networks.PretrainingNetwork` returns: `views`, B×2×P, for contrast, and `inpainted`,
                B×C×Y×X, for inpainting.
            target: B×(C+1)×Y×X: the pixels that were to be filled in, and a mask of where they were hidden, 1 or 0.
        """
        parts: dict[str, torch.Tensor] = {}
        if self.contrast and len(target) > 1:
            views = prediction["views"].float()
            parts["contrast"] = self.contrastive(views[:, 0], views[:, 1])
        if self.inpainting:
            pixels, mask = target[:, :-1], target[:, -1:]
            difference = (prediction["inpainted"].float() - pixels).abs() * mask
            parts["inpainting"] = difference.sum() / (mask.sum() * pixels.shape[1]).clamp(min=1)
        self.parts = {name: part.detach() for name, part in parts.items()}
        weights = {"contrast": self.contrast, "inpainting": self.inpainting}
        return sum((weights[name] * part for name, part in parts.items()), torch.zeros((), device=target.device))


class ContrastGuard:
    """A handler that refuses batches of a single crop for contrast, before anything is written.

    A crop alone in its batch has no others to differ from, so its contrastive loss is 0 whatever its features are.

    Args:
        contrast: weight of the contrastive loss; with 0, every batch passes.
    """

    def __init__(self, contrast: float) -> None:
        self.contrast = contrast

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, before the handlers that write files."""
        trainer.add_event_handler(Events.STARTED, self._check)

    def _check(self, trainer: Engine) -> None:
        loader = trainer.state.dataloader
        if self.contrast > 0 and smallest_batch(loader) < 2:
            option = "--batch_size" if loader.batch_size < 2 else "--crops_per_image, change --batch_size"
            raise TrainingError(
                f"got a batch of 1 crop, expected at least 2, because contrast tells the crops of a batch apart; raise "
                f"{option}, or pass --contrast 0"
            )


class InpaintingPictures:
    """A handler that shows crops, the crops with hidden blocks, and what the network fills in, for `TensorBoardLog`.

    Args:
        most: number of crops to show, the first of a validation.
    """

    def __init__(self, most: int = 4) -> None:
        self.most = most

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._draw)

    def _start(self, evaluator: Engine) -> None:
        evaluator.state.pictures = {}

    def _draw(self, evaluator: Engine) -> None:
        output, pictures = evaluator.state.output, evaluator.state.pictures
        if "inpainted" not in output["pred"]:
            return
        target = output["label"].float().cpu().numpy()
        inpainted = output["pred"]["inpainted"].float().cpu().numpy()
        for crop, painted in zip(target, inpainted, strict=True):
            if len(pictures) == self.most:
                return
            pictures[f"{len(pictures)}: crop, hidden, filled in"] = inpainting_panel(crop[:-1], crop[-1], painted)


def inpainting_panel(pixels: np.ndarray, mask: np.ndarray, inpainted: np.ndarray) -> np.ndarray:
    """Return a crop, the crop with its hidden blocks in black, and with these filled in, side by side.

    Args:
        pixels: C×Y×X. Their range is stretched from black to white.
        mask: Y×X, 1 where pixels were hidden.
        inpainted: C×Y×X pixels of the network.

    Returns:
        Y×(3X + 8)×3 uint8, with white lines 4 px wide between the parts.

    >>> inpainting_panel(np.array([[[0.0, 1.0]]]), np.array([[1.0, 0.0]]), np.array([[[0.5, 9.0]]]))[0, ::3, 0].tolist()
    [0, 255, 0, 255, 128]
    """
    low, high = float(pixels.min()), float(pixels.max())
    filled = np.where(mask > 0, inpainted, pixels)
    parts = [pixels, np.where(mask > 0, low, pixels), filled]
    if len(pixels) not in (1, 3):
        parts = [part.mean(axis=0, keepdims=True) for part in parts]
    return side_by_side([np.clip((part - low) / max(high - low, 1e-6), 0, 1) for part in parts])


class CollapseWarning:
    """A handler that warns at the end if the features of all images have become the same, which makes them useless.

    Features of untrained networks can be nearly the same, too, and those of a good one need not be far apart. A high
    collapse is therefore only reported if it was not higher before training, and crops find their image no better than
    then, which the first row of the history says; see `FirstValidation`.

    Args:
        evaluator: the validation engine, which has the metrics "collapse" and "neighbours"; see `metrics.FeatureScore`.
        most: highest collapse without a warning.
    """

    def __init__(self, evaluator: Engine, most: float = 0.99) -> None:
        self.evaluator, self.most = evaluator, most

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after the handlers that validate and `History`."""
        trainer.add_event_handler(Events.COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        epoch, metrics, before = trainer.state.epoch, self.evaluator.state.metrics, trainer.state.history[0]
        if not metrics:  # a run that was resumed after its last epoch has not been validated again
            return
        is_high = metrics["collapse"] > self.most and metrics["collapse"] >= before["collapse"]
        if is_high and not metrics["neighbours"] > before["neighbours"]:
            logger.warning(
                f"the features have collapsed: after epoch {epoch}, those of all images are nearly the same (collapse "
                f"{metrics['collapse']:.4f}, {before['collapse']:.4f} before training, expected at most {self.most}), "
                f"and crops find their image no better than before training (neighbours {metrics['neighbours']:.4f}, "
                f"{before['neighbours']:.4f} before); lower --learning_rate, or weigh the tasks differently"
            )


class EncoderFile:
    """A handler that writes the weights of the encoder after each epoch, for `--encoder_weights` in training.

    They are also written at the end, in case a run was killed between its last checkpoint and this file.

    Args:
        output_dir: folder for `encoder.safetensors`.
        network: a `networks.PretrainingNetwork`, with or without wrappers.
        about: what to record in the file, as text or numbers.
    """

    NAME = "encoder.safetensors"

    def __init__(self, output_dir: str, network: nn.Module, about: Mapping[str, Any]) -> None:
        self.path = Path(output_dir) / self.NAME
        self.network = network
        self.about = {name: str(value) for name, value in about.items()}

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after `Checkpoint`, which moves an earlier run aside."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED | Events.COMPLETED, self._write)

    def _write(self, trainer: Engine) -> None:
        if not is_writer():
            return
        encoder: Any = unwrapped(self.network).encoder
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
        about = {**self.about, "cellseg_monai": __version__, "epoch": str(trainer.state.epoch)}
        with replacing(self.path) as aside:
            save_file(tensors, aside, metadata=about)
