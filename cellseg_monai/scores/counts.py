"""Counts that add up over images, and scores computed from them.

A `Counts` object describes one image or many. For many images, its fields and its scores are arrays with the images
along the first axis. A single definition of each score, including the score of an empty image, therefore serves one
image, a data set and the thousands of draws in a bootstrap.

Images can be combined in three ways, which are easily confused; `Over` lists them. "mean" and "median" are the mean
and the median of the per-image scores, so every image has the same weight. "pooled" adds up the counts of all images
first, as if they were one large image, so large and crowded images weigh more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Literal, TypeVar, cast, get_args

import numpy as np

__all__ = [
    "REDUCE",
    "Counts",
    "FoundCounts",
    "Over",
    "SomeCounts",
    "check_over",
    "over_images",
    "ratio",
    "stacked",
    "weighted",
]

Over = Literal["mean", "median", "pooled"]
"""Ways to combine many images into one score."""

REDUCE: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}
"""Functions that reduce per-image scores to one score."""


def check_over(over: str) -> None:
    """Check that `over` is one of the three ways to combine images.

    Args:
        over: "mean", "median" or "pooled".

    Raises:
        ValueError: `over` is anything else.
    """
    if over not in get_args(Over):
        raise ValueError(f"got over={over!r}, expected one of {', '.join(get_args(Over))}; choose one")


@dataclass(frozen=True)
class Counts:
    """Base class for the counts in one or more images. Add counts to pool images."""

    scores: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def score_named(cls, name: str) -> Callable[[Any], Any]:
        """Return the function that computes a score from counts of this class.

        Args:
            name: name of the score, one of `scores`.

        Raises:
            ValueError: this class has no score with that name.
        """
        if name not in cls.scores:
            raise ValueError(f"got score {name!r}, expected one of {', '.join(cls.scores)}; choose one")
        return attrgetter(name)

    def __add__(self: SomeCounts, other: SomeCounts) -> SomeCounts:
        return type(self)(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


SomeCounts = TypeVar("SomeCounts", bound=Counts)


@dataclass(frozen=True)
class FoundCounts(Counts):
    """Base class for counts of true positives, false positives and false negatives.

    If both ground truth and prediction are empty, every score is 1. Otherwise, a score with a denominator of 0 is 0. A
    non-empty prediction therefore scores 0 if the ground truth is empty.

    Args:
        tp: number of pixels or objects in both ground truth and prediction.
        fp: number of pixels or objects in the prediction only.
        fn: number of pixels or objects in the ground truth only.

    >>> FoundCounts(tp=3, fp=1).precision, FoundCounts(fp=2).recall, FoundCounts().recall
    (0.75, 0.0, 1.0)
    """

    scores: ClassVar[tuple[str, ...]] = ("precision", "recall")

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def precision(self) -> float:
        """TP / (TP + FP), the fraction of the prediction that is correct."""
        return self._ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), the fraction of the ground truth that was found."""
        return self._ratio(self.tp, self.tp + self.fn)

    def _ratio(self, numerator: float, denominator: float) -> float:
        return ratio(numerator, denominator, self.tp + self.fp + self.fn == 0)


def ratio(numerator: Any, denominator: Any, nothing: Any) -> Any:
    """Return numerator / denominator, where 0 / 0 is 1 if both ground truth and prediction are empty, and 0 otherwise.

    Args:
        numerator: a number, or an array of any shape.
        denominator: a non-negative number, or an array of non-negative numbers with the same shape.
        nothing: True if both ground truth and prediction are empty; a bool, or a bool array with the same shape.

    Returns:
        A float, or a float64 array with the same shape.

    >>> ratio(3, 4, False)
    0.75
    >>> ratio(np.array([3, 0, 0]), np.array([4, 0, 0]), np.array([False, True, False]))
    array([0.75, 1.  , 0.  ])
    """
    quotient: np.ndarray = np.array(nothing, np.float64)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) > 0)
    return quotient if quotient.ndim else float(quotient)


def stacked(images: Iterable[SomeCounts] | Iterable[Sequence[SomeCounts]]) -> SomeCounts:
    """Stack the counts of many images into a single `Counts` object of arrays.

    Args:
        images: the counts of each image, or a sequence of counts for each image, such as one for each threshold.

    Returns:
        Counts whose fields are arrays with one value per image, or of shape images × thresholds.

    Raises:
        ValueError: there are no images, or they differ in their number of thresholds.

    >>> stacked([FoundCounts(tp=1), FoundCounts(tp=1, fn=3)]).recall
    array([1.  , 0.25])
    """
    rows = list(images)
    if not rows:
        raise ValueError("got no images, expected at least one to score; check that the datalist is not empty")
    if isinstance(rows[0], Counts):
        kind: type[Counts] = type(rows[0])
        columns = [[getattr(row, field.name) for row in rows] for field in fields(kind)]
    else:
        curves = cast("list[Sequence[Counts]]", rows)
        lengths = sorted({len(curve) for curve in curves})
        if len(lengths) != 1 or lengths == [0]:
            raise ValueError(
                f"got {len(curves)} images with {lengths} thresholds, expected the same number of at least one for "
                "every image; use the same thresholds for all images"
            )
        kind = type(curves[0][0])
        columns = [[[getattr(counts, field.name) for counts in curve] for curve in curves] for field in fields(kind)]
    return cast("SomeCounts", kind(*map(np.array, columns)))


def over_images(
    images: SomeCounts | Iterable[SomeCounts] | Iterable[Sequence[SomeCounts]],
    score: str | Callable[[SomeCounts], Any],
    over: Over,
) -> Any:
    """Return the score of a data set; `bootstrap_interval` returns the interval of that score for the same arguments.

    Args:
        images: the counts of each image; a sequence of counts for each image, such as one for each threshold; or the
            result of `stacked`.
        score: name of a score, or a function that computes scores from counts.
        over: "mean" or "median" of the per-image scores, or "pooled".

    Returns:
        A float, or an array with one score per threshold.

    Raises:
        ValueError: there are no images, they differ in their number of thresholds, or `score` or `over` is unknown.

    >>> images = [FoundCounts(tp=9, fp=1), FoundCounts(fn=1), FoundCounts(fn=2)]
    >>> float(over_images(images, "recall", "pooled")), float(over_images(images, "recall", "median"))
    (0.75, 0.0)
    >>> over_images([[FoundCounts(tp=2), FoundCounts(tp=1, fn=1)], [FoundCounts(), FoundCounts()]], "recall", "mean")
    array([1.  , 0.75])
    """
    check_over(over)
    counts = images if isinstance(images, Counts) else stacked(images)
    scored = type(counts).score_named(score) if isinstance(score, str) else score
    if over == "pooled":
        return scored(type(counts)(*(getattr(counts, field.name).sum(axis=0) for field in fields(counts))))
    return REDUCE[over](scored(counts), axis=0)


def weighted(counts: SomeCounts, times: np.ndarray) -> SomeCounts:
    """Return the pooled counts of many random draws of images.

    Args:
        counts: counts of many images, from `stacked`.
        times: draws × images array, the number of times that each draw contains each image.

    Returns:
        Counts whose fields are arrays of shape draws, draws × thresholds, or draws × the shape of a single image's
        field.

    >>> weighted(stacked([FoundCounts(tp=1), FoundCounts(fn=3)]), np.array([[2, 0], [1, 1]])).fn
    array([0, 3])
    """
    return type(counts)(*(np.tensordot(times, getattr(counts, field.name), axes=1) for field in fields(counts)))
