"""Protocols: how label images are prepared, what is counted in them, and which scores the counts give."""

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
    """A number that a protocol reports.

    Args:
        name: name of the score in the summary.
        of: function from the counts of many images to their scores. The counts of objects have an axis of thresholds.
        over: how images are combined: "mean" or "median" of the images' own scores, or "pooled".
        iou: IoU threshold at which objects are scored; None for the mean over all thresholds of the protocol.
        counted: what is scored: "objects" at thresholds of the IoU, the pixels of the "foreground", or what a function
            counts in the overlaps of an image.
        image_name: name of an image's own score, which scores share that differ only in `over`; by default `name`.
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
    """A score of a whole data set.

    Args:
        value: the score.
        low: low end of its 95 % interval over images; NaN for a single image.
        high: high end of its 95 % interval over images; NaN for a single image.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ImageCounts:
    """The counts of a protocol in an image; add up the counts of its parts.

    Args:
        objects: counts of objects at each threshold of the protocol.
        others: additional counts of single scores, by the name of the score.
        foreground: counts of pixels; None if the protocol does not score the foreground.
    """

    objects: tuple[ObjectCounts, ...]
    others: Mapping[str, Counts] = field(default_factory=dict)
    foreground: ForegroundCounts | None = None

    @property
    def true_objects(self) -> int:
        """Number of true objects, after the protocol's preparation."""
        return self.objects[0].tp + self.objects[0].fn

    @property
    def predicted_objects(self) -> int:
        """Number of predicted objects, after the protocol's preparation."""
        return self.objects[0].tp + self.objects[0].fp

    def __add__(self, other: ImageCounts) -> ImageCounts:
        objects = tuple(first + second for first, second in zip(self.objects, other.objects, strict=True))
        others = {name: counts + other.others[name] for name, counts in self.others.items()}
        if self.foreground is None or other.foreground is None:
            return ImageCounts(objects, others, self.foreground or other.foreground)
        return ImageCounts(objects, others, self.foreground + other.foreground)


@dataclass(frozen=True)
class Protocol:
    """A way of scoring label images that can be repeated exactly.

    Args:
        name: name of the protocol.
        measures: what it measures, in one line.
        source: the paper and its DOI, or where the definition can be read.
        scores: the scores that are reported; the first is what the protocol is known for.
        thresholds: thresholds of the IoU at which objects are counted.
        strict: True if a pair matches above a threshold; False if it matches at the threshold too.
        prepare: turns a prediction and a truth into the pairs of label images that are counted: a single one, or one
            for each part of a large image.
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
                    f"{self.thresholds}; add it to them"
                )

    @property
    def counts_foreground(self) -> bool:
        """True if a score is that of the foreground, so that pixels are counted as well as objects."""
        return any(score.counted == "foreground" for score in self.scores)

    def count(self, prediction: np.ndarray, truth: np.ndarray, foreground: np.ndarray | None = None) -> ImageCounts:
        """Count what this protocol scores in one image.

        Args:
            prediction: predicted ids of any integer dtype, YX, 0 is background; ids can have gaps.
            truth: true ids, YX, of the same shape.
            foreground: predicted foreground, bool, YX, for networks whose foreground is more than their objects; by
                default the pixels whose predicted id is above 0.

        Raises:
            ValueError: these are not label images, their shapes differ, or a foreground was passed to a protocol that
                does not score it.

        >>> from cellseg_monai.evaluation import find_protocol
        >>> counts = find_protocol("dsb2018").count(np.array([[4, 4, 0, 8]]), np.array([[2, 2, 2, 0]]))
        >>> counts.true_objects, counts.predicted_objects, [at.tp for at in counts.objects]
        (1, 2, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
        """
        if foreground is not None and not self.counts_foreground:
            raise ValueError(f"got a foreground, but {self.name} scores objects only; leave it out")
        check_label_images(prediction, truth)  # before a preparation can hide what is wrong
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
        """Return a score of images; for a single image, that is its own score.

        Args:
            score: one of this protocol's scores.
            images: what was counted in each image.

        Raises:
            ValueError: there are no images.
        """
        return float(over_images(_counts_of(score, images), self._number(score), score.over))

    def results(self, images: Sequence[ImageCounts]) -> dict[str, ScoreResult]:
        """Return all scores of a data set with their 95 % intervals, see `scores.bootstrap_interval`.

        Args:
            images: what was counted in each image.

        Returns:
            The results by the names of the scores. The intervals of a single image, which says nothing about others,
            are NaN.

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
        """Return the function from counts of many images to one number per image."""
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
