"""Protocols, which define how label images are prepared, counted and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from cellseg_monai.evaluation.preparation import Pair, as_given
from cellseg_monai.scores import (
    IOU_THRESHOLDS,
    Counts,
    ForegroundCounts,
    LabelOverlaps,
    ObjectCounts,
    Over,
    bootstrap_interval,
    check_label_images,
    foreground_counts,
    label_overlaps,
    match_objects,
    over_images,
)

__all__ = ["ImageCounts", "Protocol", "Score", "ScoreResult"]


@dataclass(frozen=True)
class Score:
    """The definition of a score that a protocol reports.

    Args:
        name: name of the score in the summary.
        of: function that computes scores from counts. It takes arrays of counts over images; object counts also have an
            axis for the IoU thresholds.
        over: way to combine images: "mean" or "median" of the scores of individual images, or "pooled".
        iou: IoU threshold at which objects are scored; None for the mean over all thresholds of the protocol.
        counted: "objects" to score objects at IoU thresholds, "foreground" to score foreground pixels, or a function
            that computes other counts from the overlaps of an image.
        image_name: name of the score of an individual image, `name` by default. Scores that differ only in `over` can
            share it.
    """

    name: str
    of: Callable[[Any], Any]
    over: Over
    iou: float | None = None
    counted: Literal["objects", "foreground"] | Callable[[LabelOverlaps], Counts] = "objects"
    image_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_name", self.image_name or self.name)


@dataclass(frozen=True)
class ScoreResult:
    """The value of a score for a set of images.

    Args:
        value: the score.
        low: lower end of its 95 % interval over images; NaN for a single image.
        high: upper end of its 95 % interval over images; NaN for a single image.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ImageCounts:
    """A protocol's counts for an image, or for a part of it; counts of parts can be added.

    Args:
        objects: object counts at each IoU threshold of the protocol.
        others: counts for scores that have their own counting function, by score name.
        foreground: pixel counts; None if the protocol does not score the foreground.
    """

    objects: tuple[ObjectCounts, ...]
    others: Mapping[str, Counts] = field(default_factory=dict)
    foreground: ForegroundCounts | None = None

    @property
    def true_objects(self) -> int:
        """Number of true objects in the label images as prepared by the protocol."""
        return self.objects[0].tp + self.objects[0].fn

    @property
    def predicted_objects(self) -> int:
        """Number of predicted objects in the label images as prepared by the protocol."""
        return self.objects[0].tp + self.objects[0].fp

    def __add__(self, other: ImageCounts) -> ImageCounts:
        objects = tuple(first + second for first, second in zip(self.objects, other.objects, strict=True))
        others = {name: counts + other.others[name] for name, counts in self.others.items()}
        if self.foreground is None or other.foreground is None:
            return ImageCounts(objects, others, self.foreground or other.foreground)
        return ImageCounts(objects, others, self.foreground + other.foreground)


@dataclass(frozen=True)
class Protocol:
    """A reproducible way of scoring label images.

    Args:
        name: name of the protocol.
        measures: description of what the protocol measures, in one line.
        source: paper with DOI, or another reference for the definition.
        scores: scores to report; the first is the one that the protocol is known for.
        thresholds: IoU thresholds at which objects are counted.
        strict: True if the IoU of a match must exceed the threshold; False if it only has to reach it.
        prepare: function that turns a prediction and its ground truth into the pairs of label images to count: one
            pair, or one for each tile of a large image.
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
                    f"{self.name}: got score {score.name} at an IoU of {score.iou}, expected one of the thresholds "
                    f"{self.thresholds}; add this IoU to the thresholds"
                )

    @property
    def counts_foreground(self) -> bool:
        """True if any score is a foreground score, which requires counting pixels."""
        return any(score.counted == "foreground" for score in self.scores)

    def count(self, prediction: np.ndarray, truth: np.ndarray, foreground: np.ndarray | None = None) -> ImageCounts:
        """Count the objects, and if needed the pixels, that this protocol scores in one image.

        Args:
            prediction: predicted ids, YX, of any integer dtype; 0 is background, and ids can have gaps.
            truth: true ids, YX, of the same shape.
            foreground: predicted foreground, YX bool, for networks that predict it separately from objects. The default
                is every pixel with a predicted id above 0.

        Raises:
            ValueError: the arrays are not label images, their shapes differ, or `foreground` was passed to a protocol
                that does not score it.

        >>> from cellseg_monai.evaluation import find_protocol
        >>> counts = find_protocol("dsb2018").count(np.array([[4, 4, 0, 8]]), np.array([[2, 2, 2, 0]]))
        >>> counts.true_objects, counts.predicted_objects, [at.tp for at in counts.objects]
        (1, 2, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
        """
        if foreground is not None and not self.counts_foreground:
            raise ValueError(f"got a foreground, but {self.name} scores objects only; leave out the foreground")
        check_label_images(prediction, truth)  # checked first, because preparation can hide invalid label images
        parts = [self._count(label_overlaps(*pair)) for pair in self.prepare(prediction, truth)]
        counts = sum(parts[1:], parts[0])
        if not self.counts_foreground:
            return counts
        return replace(
            counts, foreground=foreground_counts(prediction > 0 if foreground is None else foreground, truth > 0)
        )

    def _count(self, overlaps: LabelOverlaps) -> ImageCounts:
        objects = tuple(matching.counts for matching in match_objects(overlaps, self.thresholds, strict=self.strict))
        return ImageCounts(
            objects, {score.name: score.counted(overlaps) for score in self.scores if callable(score.counted)}
        )

    def value(self, score: Score, images: Sequence[ImageCounts]) -> float:
        """Compute one score over images; for a single image, this is the score of that image.

        Args:
            score: one of this protocol's scores.
            images: counts for each image.

        Raises:
            ValueError: there are no images.
        """
        return float(over_images(_counts_of(score, images), self._number(score), score.over))

    def results(self, images: Sequence[ImageCounts]) -> dict[str, ScoreResult]:
        """Compute every score over images, with 95 % intervals from `scores.bootstrap_interval`.

        Args:
            images: counts for each image.

        Returns:
            The results by score name. For a single image, the ends of the intervals are NaN.

        Raises:
            ValueError: there are no images.
        """
        results = {}
        for score in self.scores:
            value, low, high = self.value(score, images), float("nan"), float("nan")
            if len(images) > 1:
                low, high = bootstrap_interval(_counts_of(score, images), self._number(score), over=score.over)
            results[score.name] = ScoreResult(value, low, high)
        return results

    def _number(self, score: Score) -> Callable[[Any], Any]:
        """Return a function that turns the counts of many images into one score per image."""
        if score.counted != "objects":
            return score.of
        if score.iou is None:
            return lambda counts: np.mean(score.of(counts), axis=-1)
        position = self.thresholds.index(score.iou)
        return lambda counts: score.of(counts)[..., position]


def _counts_of(score: Score, images: Sequence[ImageCounts]) -> list[Any]:
    if score.counted == "objects":
        return [image.objects for image in images]
    if score.counted == "foreground":
        return [image.foreground for image in images]
    return [image.others[score.name] for image in images]
