"""How far a score may depend on which images happened to be in the test set."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from cellseg_monai.labels.foreground import SCORES, ForegroundCounts

__all__ = ["bootstrap_interval"]

logger = logging.getLogger(__name__)


def bootstrap_interval(
    counts: Sequence[ForegroundCounts],
    name: str,
    *,
    pooled: bool = False,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval, over images, of a mean or pooled score.

    Images are drawn with replacement, as many as there are, and scored anew; the interval holds the middle part of
    those scores (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). It tells what another draw
    of such images could have given. It says nothing of another training, and is too narrow for a handful of images.

    Args:
        counts: one for each image.
        name: "dice", "iou", "precision", "recall" or "accuracy".
        pooled: of `pooled_score` rather than of `mean_score`.
        confidence: the share of the drawn scores that lies inside.
        resamples: how often images are drawn.
        seed: the same gives the same interval.

    Returns:
        Its low and high end; both NaN for a single image, which says nothing about others: logs that.

    Raises:
        ValueError: no images, or no such score.

    >>> counts = [ForegroundCounts(tp=1), ForegroundCounts(tp=1), ForegroundCounts(fp=1), ForegroundCounts(fp=1)]
    >>> bootstrap_interval(counts, "dice")
    (0.0, 1.0)
    >>> bootstrap_interval(counts[:2], "dice")
    (1.0, 1.0)
    """
    if name not in SCORES:
        raise ValueError(f"score {name!r} came, but one of {', '.join(SCORES)} was expected; choose one")
    if not counts:
        raise ValueError("no images came, but an interval needs two at least; is the data list empty?")
    if len(counts) == 1:
        logger.warning(f"no interval for {name}: one image says nothing about others; it needs two at least")
        return float("nan"), float("nan")
    from scipy import stats  # most of this package's time to import, and few need intervals

    pixels = np.array([(each.tp, each.fp, each.fn, each.tn) for each in counts], np.int64).T

    def statistic(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray, axis: int = -1) -> np.ndarray:
        if pooled:
            return _scores(name, *(part.sum(axis) for part in (tp, fp, fn, tn)))
        return _scores(name, tp, fp, fn, tn).mean(axis)

    found = stats.bootstrap(
        tuple(pixels),
        statistic,
        paired=True,  # the four counts of an image stay together
        vectorized=True,
        method="percentile",
        confidence_level=confidence,
        n_resamples=resamples,
        batch=max(1, 2**22 // len(counts)),
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def _scores(name: str, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    """The properties of `ForegroundCounts`, with their conventions for empty images, of many counts at once."""
    numerator, denominator = {
        "dice": (2 * tp, 2 * tp + fp + fn),
        "iou": (tp, tp + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "accuracy": (tp + tn, tp + fp + fn + tn),
    }[name]
    ratio = np.divide(numerator, denominator, out=np.zeros(np.shape(tp)), where=denominator > 0)
    return np.where(tp + fp + fn == 0, 1.0, ratio)
