"""Losses that MONAI lacks: one for edges, and one for several heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks import one_hot
from torch import nn
from torch.nn import functional

from cellseg_monai.heads import JoinedHeads

__all__ = ["EdgeLoss", "JoinedLoss"]

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


class EdgeLoss(nn.Module):
    """A region loss plus the difference between the edges of the probabilities and those of the target.

    The mean absolute difference of Sobel gradients penalises blurred and displaced edges, which region losses hardly
    notice.

    Args:
        loss: the region loss, which takes logits and target.
        weight: weight of the edge term; the region loss has weight 1.
        softmax: if True, the channels are mutually exclusive classes and the target is B×1×Y×X class numbers. If
            False, each channel is a mask with a sigmoid, and the target is B×C×Y×X masks, one for each channel.

    >>> target = torch.zeros(1, 1, 4, 4)
    >>> target[..., 2:] = 1
    >>> certain = 40 * (target - 0.5)
    >>> loss = EdgeLoss(nn.BCEWithLogitsLoss(), softmax=False)
    >>> round(float(loss(certain, target)), 4), round(float(loss(0 * certain, target)), 4)  # log 2 + 1 / 8
    (0.0, 0.8181)
    """

    def __init__(self, loss: nn.Module, *, weight: float = 1.0, softmax: bool = True) -> None:
        super().__init__()
        self.loss = loss
        self.weight = weight
        self.softmax = softmax
        horizontal = torch.tensor(_SOBEL) / 8
        self.register_buffer("kernels", torch.stack([horizontal, horizontal.T])[:, None], persistent=False)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of B×C×Y×X logits, a scalar."""
        probabilities = logits.softmax(1) if self.softmax else logits.sigmoid()
        masks = one_hot(target, logits.shape[1]) if self.softmax else target
        # Gradients are linear: the gradients of a difference are the difference of the gradients.
        edge_error = self._gradients(probabilities - masks)
        return self.loss(logits, target) + self.weight * edge_error.abs().mean()

    def _gradients(self, values: torch.Tensor) -> torch.Tensor:
        planes = values.flatten(0, 1)[:, None]
        return functional.conv2d(functional.pad(planes, (1, 1, 1, 1), mode="replicate"), self.kernels.to(values))


class JoinedLoss(nn.Module):
    """The weighted sum of the losses of several heads.

    Each loss sees only the logits and the target of its own head.

    Args:
        head: the joined heads that the network is trained with.
        losses: one loss for each head, in the same order. Each takes logits and a target, and returns a scalar.
        weights: weight of each loss; None for 1 each.

    Attributes:
        parts: after a call, the loss of each head by its name, without its weight.

    Raises:
        ValueError: the number of losses or weights differs from the number of heads.

    >>> from cellseg_monai.heads import ForegroundHead
    >>> loss = JoinedLoss(JoinedHeads([ForegroundHead()]), [nn.BCEWithLogitsLoss()], weights=[2.0])
    >>> round(float(loss(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))), 4)  # 2 log 2
    1.3863
    """

    def __init__(self, head: JoinedHeads, losses: Sequence[nn.Module], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = [1.0] * len(head.heads) if weights is None else weights
        if not len(losses) == len(weights) == len(head.heads):
            raise ValueError(
                f"got {len(losses)} losses and {len(weights)} weights, expected one of each for every head: "
                f"{', '.join(part.name for part in head.heads)}"
            )
        self.losses = nn.ModuleList(losses)
        self.weights = list(weights)
        self.names = [part.name for part in head.heads]
        self.parts: dict[str, torch.Tensor] = {}
        self.logit_sizes = [len(part.channels) for part in head.heads]
        self.target_sizes = [part.target_channels for part in head.heads]

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss, a scalar.

        Args:
            logits: B×K×Y×X, the channels of all heads.
            target: B×T×Y×X, the targets of all heads.
        """
        parts = zip(
            self.losses,
            self.weights,
            logits.split(self.logit_sizes, dim=1),
            target.split(self.target_sizes, dim=1),
            strict=True,
        )
        losses = [(weight, loss(*pair)) for loss, weight, *pair in parts]
        self.parts = {name: loss.detach() for name, (_, loss) in zip(self.names, losses, strict=True)}
        return torch.stack([weight * loss for weight, loss in losses]).sum()
