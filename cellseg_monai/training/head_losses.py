"""The losses of single heads: of overlapping masks, and of classes of which not every pixel is known.

`JoinedLoss` adds up the losses of several heads. Its weights and those here are plain numbers, for configs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.losses import DiceLoss
from torch import nn
from torch.nn import functional

from cellseg_monai.labels import UNKNOWN

__all__ = ["ClassLoss", "MaskLoss"]


class MaskLoss(nn.Module):
    """Dice plus binary cross-entropy of overlapping masks, each with a sigmoid.

    MONAI's `DiceCELoss` treats several channels as exclusive classes in its cross-entropy, even with `sigmoid=True`.

    Args:
        channel_weights: weight of each mask, such as a higher one for boundaries, which are few; None for 1 each.
        dice: weight of the Dice loss, over all images of a batch together.
        bce: weight of the binary cross-entropy, a mean over pixels.

    >>> target = torch.zeros(1, 2, 4, 4)
    >>> target[..., 2:] = 1
    >>> round(float(MaskLoss()(40 * (target - 0.5), target)), 3)
    0.0
    >>> round(float(MaskLoss(dice=0)(torch.zeros(1, 2, 4, 4), target)), 4)  # log 2
    0.6931
    """

    def __init__(self, channel_weights: Sequence[float] | None = None, *, dice: float = 1.0, bce: float = 1.0) -> None:
        super().__init__()
        weights = None if channel_weights is None else torch.tensor(channel_weights, dtype=torch.float32)
        self.register_buffer("weights", weights, persistent=False)
        self.region = DiceLoss(sigmoid=True, batch=True, weight=weights)
        self.dice, self.bce = dice, bce

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of B×C×Y×X logits and masks, a scalar."""
        logits = logits.float()
        weights = None if self.weights is None else self.weights.view(1, -1, 1, 1)
        entropy = functional.binary_cross_entropy_with_logits(logits, target, weight=weights)
        return self.dice * self.region(logits, target) + self.bce * entropy


class ClassLoss(nn.Module):
    """Weighted cross-entropy of exclusive classes over the pixels whose class is known.

    The result is the mean over these pixels, each with the weight of its true class. Without any, it is 0, so images
    whose classes nobody has annotated teach a network with several heads everything else.

    Args:
        class_weights: weight of each class, such as a higher one for rare classes; None for 1 each.
        smoothing: share of certainty that is spread evenly over all classes, from 0 to below 1.

    >>> logits = torch.tensor([[0.0, 4.0, 0.0], [0.0, 0.0, 0.0]]).reshape(1, 2, 1, 3)
    >>> round(float(ClassLoss()(logits, torch.tensor([[[[0.0, -1.0, -1.0]]]]))), 4)  # log 2
    0.6931
    >>> float(ClassLoss()(logits, torch.full((1, 1, 1, 3), -1.0)))
    0.0
    """

    def __init__(self, class_weights: Sequence[float] | None = None, *, smoothing: float = 0.0) -> None:
        super().__init__()
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("weights", weights, persistent=False)
        self.smoothing = smoothing

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss, a scalar.

        Args:
            logits: B×K×Y×X.
            target: B×1×Y×X class numbers, `UNKNOWN` where the class is unknown.
        """
        numbers = target[:, 0].long()
        is_known = numbers != UNKNOWN
        entropy = functional.cross_entropy(
            logits.float(),
            numbers,
            weight=self.weights,
            ignore_index=UNKNOWN,
            reduction="none",
            label_smoothing=self.smoothing,
        )
        weights = is_known.float() if self.weights is None else self.weights[numbers.clamp(min=0)] * is_known
        # Without a known class, 0 / 1 keeps the gradient 0 and finite.
        total = weights.sum()
        return entropy.sum() / torch.where(total > 0, total, torch.ones_like(total))
