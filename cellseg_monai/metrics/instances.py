"""Object scores as MONAI metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from cellseg_monai.metrics.counted import CountedScore
from cellseg_monai.scores import (
    IOU_THRESHOLDS,
    ObjectCounts,
    Over,
    PooledRatio,
    aggregated_jaccard,
    aggregated_jaccard_plus,
    ctc_segmentation,
    label_overlaps,
    object_counts,
)

__all__ = ["InstanceScore", "OverlapScore"]

_RATIOS = {"aji": aggregated_jaccard, "aji_plus": aggregated_jaccard_plus, "seg": ctc_segmentation}


class _LabelImageScore(CountedScore):
    """Base class of metrics that compare B×1×Y×X label images."""

    @abstractmethod
    def _numbers(self, prediction: np.ndarray, truth: np.ndarray) -> Any:
        """Return the fields of `kind` for one image, along the last axis."""

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None or y_pred.shape != y.shape or y.shape[1:2] != (1,):
            raise ValueError(
                f"got a prediction of shape {tuple(y_pred.shape)} and ground truth of shape "
                f"{None if y is None else tuple(y.shape)}, expected B×1×Y×X label images of the same shape; resample "
                "the prediction to the size of the ground truth"
            )
        counts = [self._numbers(*pair) for pair in zip(_ids("prediction", y_pred), _ids("truth", y), strict=True)]
        # Apple's GPUs do not support float64; MONAI moves the counts when it gathers them.
        device = "cpu" if y.device.type == "mps" else y.device
        return torch.tensor(counts, dtype=torch.float64, device=device)


class InstanceScore(_LabelImageScore):
    """An object score over a data set, at one IoU threshold or averaged over several.

    Args:
        score: one of the names in `scores.ObjectCounts.scores`, such as `"f1"`, `"accuracy"` or `"panoptic_quality"`.
        thresholds: IoU thresholds, such as `[0.5]`; by default, the ten from 0.50 to 0.95 in steps of 0.05.
        over: "mean" or "median" over the scores of the images, or "pooled" to score the objects of all images together.

    Predictions and ground truth are B×1×Y×X label images of integers. Floats, as loaded by MONAI, are accepted if they
    are whole numbers that their dtype represents exactly (below 2**24 for float32). An image scores 1 if neither the
    ground truth nor the prediction contains objects, and 0 if only the prediction does.

    >>> truth = torch.tensor([[[[1, 1, 1, 1, 0, 2]]]])
    >>> prediction = torch.tensor([[[[3, 3, 3, 0, 0, 9]]]])
    >>> for thresholds in ([0.5], [0.9], [0.5, 0.9]):
    ...     metric = InstanceScore(thresholds=thresholds)
    ...     _ = metric(prediction, truth)
    ...     print(metric.aggregate())
    1.0
    0.5
    0.75
    """

    kind = ObjectCounts

    def __init__(self, score: str = "f1", thresholds: Sequence[float] = IOU_THRESHOLDS, over: Over = "pooled") -> None:
        super().__init__(score, over)
        self.thresholds = tuple(thresholds)

    def _numbers(self, prediction: np.ndarray, truth: np.ndarray) -> Any:
        curve = object_counts(prediction, truth, self.thresholds)
        return [(counts.tp, counts.fp, counts.fn, counts.iou_sum) for counts in curve]


class OverlapScore(_LabelImageScore):
    """An object score over a data set that needs no IoU threshold: AJI, AJI+ or SEG.

    Args:
        score: `"aji"` (see `scores.aggregated_jaccard`), `"aji_plus"` (see `scores.aggregated_jaccard_plus`) or `"seg"`
            (from the Cell Tracking Challenge, see `scores.ctc_segmentation`).
        over: "mean" or "median" over the scores of the images, or "pooled" to score the objects of all images together.

    Predictions and ground truth are B×1×Y×X label images of integers, or of floats that are whole numbers. An image
    scores 1 if neither the ground truth nor the prediction contains objects, and 0 if only the prediction does.

    Raises:
        ValueError: `score` is none of the three.

    >>> truth = torch.tensor([[[[1, 1, 1, 2, 0]]]])
    >>> metric = OverlapScore("aji")
    >>> _ = metric(torch.tensor([[[[5, 5, 5, 5, 0]]]]), truth)  # (3 + 1) / (4 + 4)
    >>> metric.aggregate()
    0.5
    """

    kind = PooledRatio

    def __init__(self, score: str = "aji", over: Over = "pooled") -> None:
        super().__init__("score", over)
        if score not in _RATIOS:
            raise ValueError(f"got score {score!r}, expected one of {', '.join(_RATIOS)}")
        self.ratio = _RATIOS[score]

    def _numbers(self, prediction: np.ndarray, truth: np.ndarray) -> Any:
        counts = self.ratio(label_overlaps(prediction, truth))
        return counts.numerator, counts.denominator, counts.claimed


def _ids(name: str, labels: torch.Tensor) -> np.ndarray:
    """Return label images as integers; reject floats that are not whole numbers or are too large to be exact."""
    if labels.is_floating_point():
        limit = 2 / torch.finfo(labels.dtype).eps
        if not ((labels == labels.round()) & (labels.abs() < limit)).all():
            raise ValueError(
                f"got {name} of dtype {labels.dtype}, expected integers, or whole numbers below {limit:.0f}; turn "
                "probabilities into objects first, and load label images as integers"
            )
        labels = labels.long()
    return np.asarray(labels.detach().cpu().numpy())
