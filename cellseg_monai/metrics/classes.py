"""Scores of classes as MONAI metrics."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch

from cellseg_monai.metrics.counted import CountedScore
from cellseg_monai.scores import ClassCounts, Counts, Over, cell_class_counts, image_class_counts

__all__ = ["CellClassScore", "ImageClassScore"]


class _ClassScore(CountedScore):
    """Base class of metrics that gather confusion matrices.

    Args:
        classes: number of classes; without at least two, there is nothing to score, and the score is 1.
        score: "balanced_accuracy" or "accuracy"; see `scores.ClassCounts`.
        over: "pooled" to score all images together, or "mean" or "median" over the scores of the images.
    """

    kind = ClassCounts

    def __init__(self, classes: int, score: str = "balanced_accuracy", over: Over = "pooled") -> None:
        super().__init__(score, over)
        self.classes = max(int(classes), 1)

    @property
    def confusion(self) -> np.ndarray:
        """The confusion matrix of all images since the last reset, K×K int64, with the true class along the rows."""
        counts = cast("ClassCounts", self.counts())
        return np.asarray(counts.confusion.sum(axis=0), np.int64)

    def _of_fields(self, fields: np.ndarray) -> Counts:
        return ClassCounts(fields.reshape(-1, self.classes, self.classes))

    def _flat(self, images: list[ClassCounts], like: torch.Tensor) -> torch.Tensor:
        return torch.tensor(np.stack([counts.confusion.ravel() for counts in images]), device=like.device)


class CellClassScore(_ClassScore):
    """A score of the classes of the cells that were found; see `scores.cell_class_counts`.

    Predictions and ground truth are B×2×Y×X, ids and class numbers, as from `transforms.ClassifyObjectsd`.

    Args:
        classes: number of classes; without at least two, there is nothing to score, and the score is 1.
        score: "balanced_accuracy" or "accuracy"; see `scores.ClassCounts`.
        over: "pooled" to score all images together, or "mean" or "median" over the scores of the images.

    >>> truth = torch.tensor([[[[7, 7, 0, 9]], [[1, 1, -1, 0]]]])
    >>> metric = CellClassScore(2)
    >>> _ = metric(torch.tensor([[[[1, 1, 0, 2]], [[1, 1, -1, 1]]]]), truth)
    >>> metric.aggregate(), metric.confusion.tolist()
    (0.5, [[0, 1], [0, 1]])
    """

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None:
            raise ValueError("got a prediction without ground truth, expected both; pass the true objects as y")
        pairs = zip(y_pred.numpy(force=True), y.numpy(force=True), strict=True)
        return self._flat([cell_class_counts(*pair, self.classes) for pair in pairs], y_pred)


class ImageClassScore(_ClassScore):
    """A score of the classes of images.

    Predictions and ground truth are B×1 class numbers, as from `transforms.ClassifyObjectsd`.

    Args:
        classes: number of classes; without at least two, there is nothing to score, and the score is 1.
        score: "balanced_accuracy" or "accuracy"; see `scores.ClassCounts`.
        over: "pooled" to score all images together, or "mean" or "median" over the scores of the images.

    >>> metric = ImageClassScore(2)
    >>> _ = metric(torch.tensor([[0], [1]]), torch.tensor([[0], [0]]))
    >>> metric.aggregate()
    0.5
    """

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None:
            raise ValueError("got a prediction without ground truth, expected both; pass the true classes as y")
        pairs = zip(y_pred[:, 0].tolist(), y[:, 0].tolist(), strict=True)
        return self._flat([image_class_counts(*pair, self.classes) for pair in pairs], y_pred)
