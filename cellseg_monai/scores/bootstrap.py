"""How far a score may depend on which images happened to be in the test set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cellseg_monai.scores.counts import REDUCE, Over, SomeCounts, stacked, weighted

__all__ = ["bootstrap_interval"]

logger = logging.getLogger(__name__)

_DRAWN_TOGETHER = 2**22  # so many images are drawn at a time


def bootstrap_interval(
    images: Sequence[SomeCounts] | Sequence[Sequence[SomeCounts]],
    score: str | Callable[[SomeCounts], Any],
    *,
    over: Over = "mean",
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval, over images, of any mean, median or pooled score.

    Images are drawn with replacement, as many as there are, and scored anew; the interval holds the middle part of
    those scores (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). It tells what another draw
    of such images could have given. It says nothing of another training, and is too narrow for a handful of images.

    Args:
        images: the counts of each, or a sequence for each, such as one for each threshold.
        score: its name; or a function from counts to one number an image, whose counts are arrays with the images
            along the first axis.
        over: how images are put together: the mean or median of their own scores, or pooled.
        confidence: the share of the drawn scores that lies inside.
        resamples: how often images are drawn.
        seed: the same gives the same interval.

    Returns:
        Its low and high end; both NaN for a single image, which says nothing about others: logs that.

    Raises:
        ValueError: no images, no such score, or one that is several numbers an image.

    >>> from cellseg_monai.scores import ForegroundCounts, ObjectCounts
    >>> counts = [ForegroundCounts(tp=1), ForegroundCounts(tp=1), ForegroundCounts(fp=1), ForegroundCounts(fp=1)]
    >>> bootstrap_interval(counts, "dice")
    (0.0, 1.0)
    >>> curves = [[ObjectCounts(tp=1), ObjectCounts(fn=1, fp=1)]] * 3
    >>> bootstrap_interval(curves, lambda counts: counts.f1.mean(axis=-1), over="pooled")
    (0.5, 0.5)
    """
    counts = stacked(images)
    scored = type(counts).score_named(score) if isinstance(score, str) else score
    own = np.asarray(scored(counts))
    if own.shape != (len(images),):
        raise ValueError(
            f"a score of shape {own.shape} for {len(images)} images came, but one number an image was expected; "
            "take one threshold, or the mean over all"
        )
    if len(images) == 1:
        logger.warning("no interval of a score: one image says nothing about others; it needs two at least")
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
