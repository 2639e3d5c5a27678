"""Foreground scores as a MONAI metric, summed over batches and processes."""

from __future__ import annotations

from typing import Any

import torch

from cellseg_monai.metrics.counted import CountedScore
from cellseg_monai.scores import ForegroundCounts

__all__ = ["ForegroundScore"]


class ForegroundScore(CountedScore):
    """A score of the foreground over a data set: Dice, IoU, precision, recall or accuracy.

    Args:
        score: `"dice"`, `"iou"`, `"precision"`, `"recall"` or `"accuracy"`.
        pooled: True counts the pixels of all images together; False takes the mean of the images' own scores.

    An image without foreground in truth and prediction scores 1, one with a prediction where the truth is empty 0.

    >>> truth = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    >>> metric = ForegroundScore("iou")
    >>> _ = metric(y_pred=torch.tensor([[[[0.0, 1.0, 1.0, 0.0]]]]), y=truth)
    >>> round(metric.aggregate(), 4)
    0.3333
    """

    kind = ForegroundCounts

    def __init__(self, score: str = "dice", pooled: bool = False) -> None:
        super().__init__(score, pooled)

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None or y_pred.shape != y.shape:
            raise ValueError(
                f"prediction {tuple(y_pred.shape)} and truth {None if y is None else tuple(y.shape)} must be "
                "B×1×Y×X masks of the same shape"
            )
        predicted, true = y_pred > 0, y > 0
        axes = tuple(range(1, y.ndim))
        masks = (predicted & true, predicted & ~true, ~predicted & true, ~predicted & ~true)
        return torch.stack([mask.sum(axes) for mask in masks], dim=1)
