"""What a protocol is: how label images are prepared, what is counted of them, and how scores are made of the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellseg_monai.evaluation.preparation import Pair, as_given
from cellseg_monai.scores import (
    IOU_THRESHOLDS,
    Counts,
    LabelOverlaps,
    ObjectCounts,
    bootstrap_interval,
    check_label_images,
    label_overlaps,
    match_objects,
    over_images,
    stacked,
)
from cellseg_monai.scores.counts import Over

__all__ = ["ImageCounts", "Protocol", "Score", "ScoreResult"]


@dataclass(frozen=True)
class Score:
    """A number that a protocol reports.

    Args:
        name: as it is reported.
        of: gives it, of the counts of many images at once; of objects, a number for each threshold.
        over: how images are put together: the mean or median of their own scores, or pooled.
        iou: the threshold at which objects are scored; None for the mean over all thresholds of the protocol.
        counted: what is counted of an image, if not its objects at thresholds.
    """

    name: str
    of: Callable[[Any], Any]
    over: Over
    iou: float | None = None
    counted: Callable[[LabelOverlaps], Counts] | None = None


@dataclass(frozen=True)
class ScoreResult:
    """A score of a whole data set.

    Args:
        value: the score.
        low: the low end of its interval over images; NaN for a single image.
        high: the high end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ImageCounts:
    """What a protocol counts of an image; add up those of its parts.

    Args:
        objects: at each threshold of the protocol.
        others: what a score counts for itself, by the name of the score.
    """

    objects: tuple[ObjectCounts, ...]
    others: Mapping[str, Counts]

    @property
    def true_objects(self) -> int:
        """How many were to be found; of the prepared image."""
        return self.objects[0].tp + self.objects[0].fn

    @property
    def predicted_objects(self) -> int:
        """How many were claimed; of the prepared image."""
        return self.objects[0].tp + self.objects[0].fp

    def __add__(self, other: ImageCounts) -> ImageCounts:
        objects = tuple(first + second for first, second in zip(self.objects, other.objects, strict=True))
        return ImageCounts(objects, {name: counts + other.others[name] for name, counts in self.others.items()})


@dataclass(frozen=True)
class Protocol:
    """A published way of scoring label images, to be repeated exactly.

    Args:
        name: under which it is asked for.
        measures: what, in one line.
        source: the paper and its DOI, or where the definition stands.
        scores: what is reported; the first is what the protocol is known for.
        thresholds: of the IoU, at which objects are counted.
        strict: a pair matches if its IoU is greater than the threshold, rather than at least as great.
        prepare: makes of a prediction and a truth the pairs of label images that are counted: one, or one for each
            part of a large image.
    """

    name: str
    measures: str
    source: str
    scores: tuple[Score, ...]
    thresholds: tuple[float, ...] = IOU_THRESHOLDS
    strict: bool = False
    prepare: Callable[[np.ndarray, np.ndarray], Iterable[Pair]] = as_given

    def __post_init__(self) -> None:
        for score in self.scores:
            if score.iou is not None and score.iou not in self.thresholds:
                raise ValueError(
                    f"{self.name}: score {score.name} at an IoU of {score.iou} came, but one of the thresholds "
                    f"{self.thresholds} was expected; add it to them"
                )

    def count(self, prediction: np.ndarray, truth: np.ndarray) -> ImageCounts:
        """What this protocol counts of one image.

        Args:
            prediction: YX ids of any integer dtype, 0 is background; ids may have gaps.
            truth: the same shape.

        Raises:
            ValueError: no label images, or shapes differ.

        >>> from cellseg_monai.evaluation import find_protocol
        >>> counts = find_protocol("dsb2018").count(np.array([[4, 4, 0, 8]]), np.array([[2, 2, 2, 0]]))
        >>> counts.true_objects, counts.predicted_objects, [each.tp for each in counts.objects]
        (1, 2, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
        """
        check_label_images(prediction, truth)  # before a preparation can hide what is wrong
        parts = [self._count(label_overlaps(*pair)) for pair in self.prepare(prediction, truth)]
        return sum(parts[1:], parts[0])

    def _count(self, overlaps: LabelOverlaps) -> ImageCounts:
        objects = tuple(each.counts for each in match_objects(overlaps, self.thresholds, strict=self.strict))
        others = {score.name: score.counted(overlaps) for score in self.scores if score.counted is not None}
        return ImageCounts(objects, others)

    def value(self, score: Score, images: Sequence[ImageCounts]) -> float:
        """A score of images; of one image, its own.

        Args:
            score: one of this protocol's.
            images: what was counted of each.

        Raises:
            ValueError: no images.
        """
        return float(over_images(stacked(_counts_of(score, images)), self._number(score), score.over))

    def results(self, images: Sequence[ImageCounts]) -> dict[str, ScoreResult]:
        """All scores of a data set with their 95 % intervals, see `scores.bootstrap_interval`.

        Args:
            images: what was counted of each.

        Returns:
            By the name of the score; intervals are NaN for a single image, which says nothing about others.

        Raises:
            ValueError: no images.
        """
        found = {}
        for score in self.scores:
            value, low, high = self.value(score, images), float("nan"), float("nan")
            if len(images) > 1:
                low, high = bootstrap_interval(_counts_of(score, images), self._number(score), over=score.over)
            found[score.name] = ScoreResult(value, low, high)
        return found

    def _number(self, score: Score) -> Callable[[Any], Any]:
        """The function from counts of many images to one number for each."""
        if score.counted is not None:
            return score.of
        if score.iou is None:
            return lambda counts: np.mean(score.of(counts), axis=-1)
        position = self.thresholds.index(score.iou)
        return lambda counts: score.of(counts)[..., position]


def _counts_of(score: Score, images: Sequence[ImageCounts]) -> list[Any]:
    return [image.objects if score.counted is None else image.others[score.name] for image in images]
