"""Bootstrap intervals: the variation of a score with the images that happen to be in the test set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cellseg_monai.scores.counts import REDUCE, Over, SomeCounts, check_over, stacked, weighted

__all__ = ["bootstrap_interval"]

logger = logging.getLogger(__name__)

_DRAWN_TOGETHER = 2**22  # images drawn at a time, which bounds the memory


def bootstrap_interval(
    images: Sequence[SomeCounts] | Sequence[Sequence[SomeCounts]],
    score: str | Callable[[SomeCounts], Any],
    *,
    over: Over = "mean",
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval over images of a mean, median or pooled score.

    The images are resampled with replacement and scored again, many times; the interval holds the middle part of those
    scores (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). It shows what
    other images of the same kind could have given. It says nothing about another training, and it is too narrow for a
    handful of images.

    Args:
        images: the counts of each image, or a sequence of counts for each image, such as one per threshold.
        score: name of the score, or a function from counts to one number per image. The function gets counts whose
            numbers are arrays with the images along the first axis.
        over: "mean" or "median" of the images' own scores, or "pooled".
        confidence: share of the drawn scores that lies inside the interval.
        resamples: how often images are drawn.
        seed: seed of the draws; the same seed gives the same interval.

    Returns:
        The low and the high end. Both are NaN for a single image, which says nothing about others; a warning is logged.

    Raises:
        ValueError: there are no images, no such score or way, or the score is several numbers per image.

    >>> from cellseg_monai.scores import ForegroundCounts, ObjectCounts
    >>> counts = [ForegroundCounts(tp=1), ForegroundCounts(tp=1), ForegroundCounts(fp=1), ForegroundCounts(fp=1)]
    >>> bootstrap_interval(counts, "dice")
    (0.0, 1.0)
    >>> curves = [[ObjectCounts(tp=1), ObjectCounts(fn=1, fp=1)]] * 3
    >>> bootstrap_interval(curves, lambda counts: counts.f1.mean(axis=-1), over="pooled")
    (0.5, 0.5)
    """
    check_over(over)
    counts = stacked(images)
    scored = type(counts).score_named(score) if isinstance(score, str) else score
    own = np.asarray(scored(counts))
    if own.shape != (len(images),):
        raise ValueError(
            f"got a score of shape {own.shape} for {len(images)} images, expected one number per image; take one "
            "threshold, or the mean over all"
        )
    if len(images) == 1:
        logger.warning("no interval: one image says nothing about others; an interval needs at least two images")
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    batch = max(1, _DRAWN_TOGETHER // len(images))
    drawn = []
    for begin in range(0, resamples, batch):
        picks = rng.integers(0, len(images), (min(batch, resamples - begin), len(images)))
        if over == "pooled":
            times = np.array([np.bincount(row, minlength=len(images)) for row in picks])
            drawn.append(np.asarray(scored(weighted(counts, times))))
        else:
            drawn.append(REDUCE[over](own[picks], axis=1))
    outside = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(drawn), [outside, 100 - outside])
    return float(low), float(high)
