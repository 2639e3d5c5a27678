"""Foreground compared pixel by pixel. Objects play no part: touching cells merged into one cost nothing here."""

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
    """Pixels of a prediction by whether they are right; add counts to pool images.

    If neither truth nor prediction contains foreground, all scores are 1. In all other cases a score whose denominator
    is 0 is 0, so an empty truth with any prediction scores 0 in all but accuracy.

    Args:
        tp: number of pixels that are foreground in both truth and prediction.
        fp: number of pixels that are foreground in the prediction only.
        fn: number of pixels that are foreground in the truth only.
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
        """2 TP / (2 TP + FP + FN); the F1 score of pixels."""
        return self._ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN); the Jaccard index."""
        return self._ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all pixels. Close to 1 wherever cells are sparse, so of little use on its own."""
        return self._ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)


def foreground_counts(prediction: np.ndarray, truth: np.ndarray) -> ForegroundCounts:
    """Count the pixels of one image by whether prediction and truth are foreground.

    Args:
        prediction: predicted foreground, bool, YX or any shape.
        truth: true foreground, bool, of the same shape.

    Raises:
        ValueError: the shapes differ, or a dtype is not bool.

    >>> foreground_counts(np.array([True, True, False]), np.array([True, False, False]))
    ForegroundCounts(tp=1, fp=1, fn=0, tn=1)
    """
    for name, mask in (("prediction", prediction), ("truth", truth)):
        if mask.dtype != bool:
            raise ValueError(
                f"got a {name} of dtype {mask.dtype}, expected bool; use labels > 0, or foreground_mask for "
                "probabilities"
            )
    if prediction.shape != truth.shape:
        raise ValueError(
            f"got a prediction of shape {prediction.shape} and a truth of shape {truth.shape}, expected equal shapes; "
            "resample the prediction to the size of the image"
        )
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return ForegroundCounts(tp=tp, fp=fp, fn=fn, tn=truth.size - tp - fp - fn)


def foreground_counts_by_threshold(
    probabilities: np.ndarray, truth: np.ndarray, thresholds: Sequence[float]
) -> list[ForegroundCounts]:
    """Return the `foreground_counts` of `probabilities > threshold` at many thresholds, in one pass over the pixels.

    Args:
        probabilities: probability of the foreground, floats from 0 to 1, YX or any shape.
        truth: true foreground, bool, of the same shape.
        thresholds: thresholds in increasing order.

    Returns:
        The counts at each threshold.

    Raises:
        ValueError: the shapes differ, truth is not bool, the thresholds do not increase, or the values are not
            probabilities.

    >>> foreground_counts_by_threshold(np.array([0.2, 0.6]), np.array([False, True]), [0.1, 0.5])
    [ForegroundCounts(tp=1, fp=1, fn=0, tn=0), ForegroundCounts(tp=1, fp=0, fn=0, tn=1)]
    """
    if truth.dtype != bool or probabilities.shape != truth.shape:
        raise ValueError(
            f"got probabilities of shape {probabilities.shape} and a truth of shape {truth.shape} and dtype "
            f"{truth.dtype}, expected equal shapes and a truth of bool; use labels > 0"
        )
    check_probabilities(probabilities)
    # NumPy compares an array with a Python number in the dtype of the array, so this does too.
    edges = np.asarray(thresholds, probabilities.dtype)
    if edges.ndim != 1 or np.any(np.diff(edges) <= 0):
        raise ValueError(f"got thresholds {list(thresholds)}, expected increasing numbers; sort them")
    # Number of thresholds that each pixel exceeds; strictly, as in `foreground_mask`.
    exceeded = np.asarray(np.searchsorted(edges, probabilities, side="left"))
    histograms = [np.bincount(exceeded[where], minlength=len(edges) + 1) for where in (truth, ~truth)]
    # A pixel above threshold i exceeds at least i + 1 thresholds.
    above = [np.cumsum(histogram[::-1])[::-1][1:].tolist() for histogram in histograms]
    inside, outside = (int(histogram.sum()) for histogram in histograms)
    return [ForegroundCounts(tp=tp, fp=fp, fn=inside - tp, tn=outside - fp) for tp, fp in zip(*above, strict=True)]
