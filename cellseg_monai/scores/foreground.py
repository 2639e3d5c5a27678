"""Foreground compared pixel by pixel.

Two ways of putting many images together, which differ and are easily confused:

- the **per-image mean** (`mean_score`): every image counts the same, however few cells it has. This is
  what MONAI's `DiceMetric(ignore_empty=False)` and `MeanDice` report.
- the **pooled score** (`pooled_score`): all pixels of all images count the same, as if they were one
  large image; images with much foreground dominate.

Neither sees objects: touching cells merged into one cost nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cellseg_monai.decoding.maps import check_probabilities
from cellseg_monai.scores.counts import FoundCounts, Over, over_images, stacked

__all__ = [
    "SCORES",
    "ForegroundCounts",
    "foreground_counts",
    "foreground_counts_by_threshold",
    "mean_score",
    "pooled_score",
]


@dataclass(frozen=True)
class ForegroundCounts(FoundCounts):
    """Pixels of a prediction by whether they are right; add counts to pool images.

    Where neither truth nor prediction has foreground, Dice, IoU, precision and recall are 1: nothing
    was there and nothing was claimed. Where a denominator is 0 otherwise, they are 0; so an empty
    truth with any prediction scores 0 in these.

    Args:
        tp: foreground in both.
        fp: foreground in the prediction only.
        fn: foreground in the truth only.
        tn: background in both.

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
        """(TP + TN) / all pixels; near 1 wherever cells are few, so of little use alone."""
        return self._ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)


SCORES = ForegroundCounts.scores


def foreground_counts(prediction: np.ndarray, truth: np.ndarray) -> ForegroundCounts:
    """Count the pixels of one image by whether prediction and truth are foreground.

    Args:
        prediction: bool, YX or any shape.
        truth: bool, the same shape.

    Raises:
        ValueError: shapes differ, or a dtype is not bool.

    >>> foreground_counts(np.array([True, True, False]), np.array([True, False, False]))
    ForegroundCounts(tp=1, fp=1, fn=0, tn=1)
    """
    for name, mask in (("prediction", prediction), ("truth", truth)):
        if mask.dtype != bool:
            raise ValueError(
                f"{name} of dtype {mask.dtype} came, but bool was expected; "
                "use labels > 0, or foreground_mask for probabilities"
            )
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction {prediction.shape} and truth {truth.shape} came, but equal shapes were expected; "
            "bring the prediction back to the image's own frame"
        )
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return ForegroundCounts(tp=tp, fp=fp, fn=fn, tn=truth.size - tp - fp - fn)


def foreground_counts_by_threshold(
    probabilities: np.ndarray, truth: np.ndarray, thresholds: Sequence[float]
) -> list[ForegroundCounts]:
    """`foreground_counts` of `probabilities > threshold` for many thresholds, in one pass over the pixels.

    Args:
        probabilities: floats in [0, 1], YX or any shape.
        truth: bool, the same shape.
        thresholds: in increasing order.

    Raises:
        ValueError: shapes differ, truth is not bool, thresholds do not increase, values are no probabilities.

    >>> foreground_counts_by_threshold(np.array([0.2, 0.6]), np.array([False, True]), [0.1, 0.5])
    [ForegroundCounts(tp=1, fp=1, fn=0, tn=0), ForegroundCounts(tp=1, fp=0, fn=0, tn=1)]
    """
    if truth.dtype != bool or probabilities.shape != truth.shape:
        raise ValueError(
            f"probabilities {probabilities.shape} and truth {truth.shape} of dtype {truth.dtype} came, "
            "but equal shapes and a truth of bool were expected; use labels > 0"
        )
    check_probabilities(probabilities)
    # In the dtype of the probabilities, as a comparison with a Python number is made.
    edges = np.asarray(thresholds, probabilities.dtype)
    if edges.ndim != 1 or np.any(np.diff(edges) <= 0):
        raise ValueError(f"thresholds {list(thresholds)} came, but increasing numbers were expected; sort them")
    # How many thresholds each pixel exceeds, strictly, as `foreground_mask` has it.
    exceeded = np.asarray(np.searchsorted(edges, probabilities, side="left"))
    histograms = [np.bincount(exceeded[where], minlength=len(edges) + 1) for where in (truth, ~truth)]
    # Pixels above threshold i exceed i + 1 thresholds or more.
    above = [np.cumsum(histogram[::-1])[::-1][1:].tolist() for histogram in histograms]
    inside, outside = (int(histogram.sum()) for histogram in histograms)
    return [ForegroundCounts(tp=tp, fp=fp, fn=inside - tp, tn=outside - fp) for tp, fp in zip(*above, strict=True)]


def mean_score(counts: Iterable[ForegroundCounts], name: str) -> float:
    """The mean over images of a score of each: every image counts the same.

    Args:
        counts: one for each image.
        name: "dice", "iou", "precision", "recall" or "accuracy".

    Raises:
        ValueError: no images, or no such score.

    >>> mean_score([ForegroundCounts(tp=9, fp=1), ForegroundCounts(fn=1)], "precision")
    0.45
    """
    return _score(counts, name, "mean")


def pooled_score(counts: Iterable[ForegroundCounts], name: str) -> float:
    """The score of all images taken as one: every pixel counts the same.

    Args:
        counts: one for each image.
        name: "dice", "iou", "precision", "recall" or "accuracy".

    Raises:
        ValueError: no images, or no such score.

    >>> pooled_score([ForegroundCounts(tp=9, fp=1), ForegroundCounts(fn=1)], "precision")
    0.9
    """
    return _score(counts, name, "pooled")


def _score(counts: Iterable[ForegroundCounts], name: str, over: Over) -> float:
    return float(over_images(stacked(counts), ForegroundCounts.score_named(name), over))
