"""Bootstrap intervals, which show how much a score depends on the choice of test images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cellseg_monai.scores.counts import REDUCE, Over, SomeCounts, check_over, stacked, weighted

__all__ = ["bootstrap_interval"]

logger = logging.getLogger(__name__)

_DRAWN_TOGETHER = 2**22  # number of images drawn at a time, which limits memory use


def bootstrap_interval(
    images: Sequence[SomeCounts] | Sequence[Sequence[SomeCounts]],
    score: str | Callable[[SomeCounts], Any],
    *,
    over: Over = "mean",
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute the percentile bootstrap interval of a mean, median or pooled score by resampling images.

    Images are drawn with replacement and scored many times, and the interval spans the central part of these scores
    (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). It shows which scores other images of
    the same kind might have given. It does not cover the variation between training runs, and with only a handful of
    images it is too narrow.

    Args:
        images: the counts of each image, or a sequence of counts for each image, such as one for each threshold.
        score: name of a score, or a function that computes one number per image from counts. The fields of these
            counts are arrays with the images along the first axis.
        over: "mean" or "median" of the per-image scores, or "pooled".
        confidence: fraction of the resampled scores that the interval contains.
        resamples: number of times that the images are drawn.
        seed: random seed; the same seed gives the same interval.

    Returns:
        The lower and upper ends. A single image gives no interval, so both are NaN and a warning is logged.

    Raises:
        ValueError: there are no images, `score` or `over` is unknown, or the score returns several numbers per image.

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
            f"got a score of shape {own.shape} for {len(images)} images, expected one number per image; choose one "
            "threshold, or average over all of them"
        )
    if len(images) == 1:
        logger.warning("got one image, so there is no interval; a bootstrap needs at least two images")
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
