"""Scores of the foreground as a MONAI metric, counted over batches and processes."""

from __future__ import annotations

from typing import Any

import torch

from cellseg_monai.metrics.counted import CountedScore
from cellseg_monai.scores import ForegroundCounts, Over

__all__ = ["ForegroundScore"]


class ForegroundScore(CountedScore):
    """A score of the foreground over a data set: Dice, IoU, precision, recall or accuracy.

    Args:
        score: `"dice"`, `"iou"`, `"precision"`, `"recall"` or `"accuracy"`.
        over: "mean" or "median" of the scores of the images, or "pooled" for the pixels of all images together.

    An image without foreground in truth and prediction scores 1; an image with an empty truth and any prediction scores
    0.

    >>> truth = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    >>> metric = ForegroundScore("iou")
    >>> _ = metric(y_pred=torch.tensor([[[[0.0, 1.0, 1.0, 0.0]]]]), y=truth)
    >>> round(metric.aggregate(), 4)
    0.3333
    """

    kind = ForegroundCounts

    def __init__(self, score: str = "dice", over: Over = "mean") -> None:
        super().__init__(score, over)

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None or y_pred.shape != y.shape:
            raise ValueError(
                f"got a prediction of shape {tuple(y_pred.shape)} and a truth of shape "
                f"{None if y is None else tuple(y.shape)}, expected B×1×Y×X masks of the same shape; resample the "
                "prediction to the size of the truth"
            )
        predicted, true = y_pred > 0, y > 0
        axes = tuple(range(1, y.ndim))
        masks = (predicted & true, predicted & ~true, ~predicted & true, ~predicted & ~true)
        return torch.stack([mask.sum(axes) for mask in masks], dim=1)
