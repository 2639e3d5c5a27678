"""Pixel-wise scores of the foreground, which ignore objects, so merging touching cells does not lower them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cellseg_monai.decoding.maps import check_probabilities
from cellseg_monai.scores.counts import FoundCounts

__all__ = ["ForegroundCounts", "foreground_counts", "foreground_counts_by_threshold"]


@dataclass(frozen=True)
class ForegroundCounts(FoundCounts):
    """Counts of correctly and incorrectly predicted pixels. Add counts to pool images.

    If neither ground truth nor prediction contains foreground, every score is 1. Otherwise, a score with a denominator
    of 0 is 0. A non-empty prediction therefore scores 0 if the ground truth is empty, except in accuracy.

    Args:
        tp: number of pixels that are foreground in both ground truth and prediction.
        fp: number of pixels that are foreground in the prediction only.
        fn: number of pixels that are foreground in the ground truth only.
        tn: number of pixels that are background in both.

    >>> ForegroundCounts(tp=1, fp=1, fn=0, tn=2).iou
    0.5
    >>> ForegroundCounts(1, 0, 0, 0) + ForegroundCounts(0, 0, 2, 5)
    ForegroundCounts(tp=1, fp=0, fn=2, tn=5)
    """

    scores: ClassVar[tuple[str, ...]] = ("dice", "iou", "precision", "recall", "accuracy")

    tn: int = 0

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), the pixel-wise F1 score."""
        return self._ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), the Jaccard index."""
        return self._ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all pixels; close to 1 whenever cells are sparse, and so of little use on its own."""
        return self._ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)


def foreground_counts(prediction: np.ndarray, truth: np.ndarray) -> ForegroundCounts:
    """Count correctly and incorrectly predicted foreground and background pixels in one image.

    Args:
        prediction: predicted foreground, bool array of any shape, such as YX.
        truth: true foreground, bool array of the same shape.

    Raises:
        ValueError: the shapes differ, or a dtype is not bool.

    >>> foreground_counts(np.array([True, True, False]), np.array([True, False, False]))
    ForegroundCounts(tp=1, fp=1, fn=0, tn=1)
    """
    for name, mask in (("prediction", prediction), ("true mask", truth)):
        if mask.dtype != bool:
            raise ValueError(
                f"got a {name} of dtype {mask.dtype}, expected bool; pass labels > 0, or apply foreground_mask to "
                "probabilities"
            )
    if prediction.shape != truth.shape:
        raise ValueError(
            f"got a prediction of shape {prediction.shape} and a true mask of shape {truth.shape}, expected equal "
            "shapes; resize the prediction to the shape of the true mask"
        )
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return ForegroundCounts(tp=tp, fp=fp, fn=fn, tn=truth.size - tp - fp - fn)


def foreground_counts_by_threshold(
    probabilities: np.ndarray, truth: np.ndarray, thresholds: Sequence[float]
) -> list[ForegroundCounts]:
    """Compute `foreground_counts` of `probabilities > threshold` for many thresholds, in one pass over the pixels.

    Args:
        probabilities: foreground probability, floats in [0, 1] of any shape, such as YX.
        truth: true foreground, bool array of the same shape.
        thresholds: thresholds in increasing order.

    Returns:
        One set of counts per threshold.

    Raises:
        ValueError: the shapes differ, `truth` is not bool, the thresholds do not increase, or a value is not a
            probability.

    >>> foreground_counts_by_threshold(np.array([0.2, 0.6]), np.array([False, True]), [0.1, 0.5])
    [ForegroundCounts(tp=1, fp=1, fn=0, tn=0), ForegroundCounts(tp=1, fp=0, fn=0, tn=1)]
    """
    if truth.dtype != bool or probabilities.shape != truth.shape:
        raise ValueError(
            f"got probabilities of shape {probabilities.shape} and a true mask of shape {truth.shape} and dtype "
            f"{truth.dtype}, expected equal shapes and a bool mask; pass labels > 0 as the true mask"
        )
    check_probabilities(probabilities)
    # Match `probabilities > threshold`, in which NumPy converts a Python number to the dtype of the array.
    edges = np.asarray(thresholds, probabilities.dtype)
    if edges.ndim != 1 or np.any(np.diff(edges) <= 0):
        raise ValueError(f"got thresholds {list(thresholds)}, expected increasing numbers; sort them and drop repeats")
    # Number of thresholds that each pixel strictly exceeds, as in `foreground_mask`.
    exceeded = np.asarray(np.searchsorted(edges, probabilities, side="left"))
    histograms = [np.bincount(exceeded[where], minlength=len(edges) + 1) for where in (truth, ~truth)]
    # A pixel above threshold i exceeds at least i + 1 thresholds.
    above = [np.cumsum(histogram[::-1])[::-1][1:].tolist() for histogram in histograms]
    inside, outside = (int(histogram.sum()) for histogram in histograms)
    return [ForegroundCounts(tp=tp, fp=fp, fn=inside - tp, tn=outside - fp) for tp, fp in zip(*above, strict=True)]
