"""Foreground scores as a MONAI metric."""

from __future__ import annotations

from typing import Any

import torch

from cellseg_monai.metrics.counted import CountedScore
from cellseg_monai.scores import ForegroundCounts, Over

__all__ = ["ForegroundScore"]


class ForegroundScore(CountedScore):
    """A foreground score over a data set: Dice, IoU, precision, recall or accuracy.

    Args:
        score: `"dice"`, `"iou"`, `"precision"`, `"recall"` or `"accuracy"`.
        over: "mean" or "median" over the scores of the images, or "pooled" to score the pixels of all images together.

    An image scores 1 if neither the ground truth nor the prediction contains foreground. If only the prediction does,
    the image scores 0, except in accuracy.

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
                f"got a prediction of shape {tuple(y_pred.shape)} and ground truth of shape "
                f"{None if y is None else tuple(y.shape)}, expected B×1×Y×X masks of the same shape; resample the "
                "prediction to the size of the ground truth"
            )
        predicted, true = y_pred > 0, y > 0
        axes = tuple(range(1, y.ndim))
        masks = (predicted & true, predicted & ~true, ~predicted & true, ~predicted & ~true)
        return torch.stack([mask.sum(axes) for mask in masks], dim=1)
