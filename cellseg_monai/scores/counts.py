"""What is counted of an image: numbers that add up over images, and scores that are ratios of them.

One `Counts` stands for one image, or for many at once: its numbers are then arrays with the images along the first
axis, and so are its scores. What an empty image scores is so written once, for one image, a data set and the thousands
of draws of a bootstrap.

Images are put together in ways that differ and are easily confused (`Over`): the mean or the median of their own
scores, every image counting the same, or pooled, as if they were one large image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Literal, TypeVar, cast

import numpy as np

__all__ = ["REDUCE", "Counts", "FoundCounts", "Over", "SomeCounts", "over_images", "ratio", "stacked", "weighted"]

Over = Literal["mean", "median", "pooled"]

REDUCE: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}
"""How the images' own scores become one."""


@dataclass(frozen=True)
class Counts:
    """Base of what is counted of an image; add counts to pool images."""

    scores: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def score_named(cls, name: str) -> Callable[[Any], Any]:
        """The function that gives a score of such counts.

        Raises:
            ValueError: they have no such score.
        """
        if name not in cls.scores:
            raise ValueError(f"score {name!r} came, but one of {', '.join(cls.scores)} was expected; choose one")
        return attrgetter(name)

    def __add__(self: SomeCounts, other: SomeCounts) -> SomeCounts:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


SomeCounts = TypeVar("SomeCounts", bound=Counts)


@dataclass(frozen=True)
class FoundCounts(Counts):
    """Base of counts of what was found, pixels or objects.

    Where neither truth nor prediction has anything, every score is 1: nothing was there and nothing was claimed.
    Where a denominator is 0 otherwise, it is 0; so an empty truth with any prediction scores 0 throughout.

    Args:
        tp: in both.
        fp: in the prediction only.
        fn: in the truth only.

    >>> FoundCounts(tp=3, fp=1).precision, FoundCounts(fp=2).recall, FoundCounts().recall
    (0.75, 0.0, 1.0)
    """

    scores: ClassVar[tuple[str, ...]] = ("precision", "recall")

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def precision(self) -> float:
        """TP / (TP + FP): how much of the prediction is right."""
        return self._ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN): how much of the truth was found."""
        return self._ratio(self.tp, self.tp + self.fn)

    def _ratio(self, numerator: float, denominator: float) -> float:
        return ratio(numerator, denominator, self.tp + self.fp + self.fn == 0)


def ratio(numerator: Any, denominator: Any, nothing: Any) -> Any:
    """Numerator over denominator; of 0 / 0, 1 where nothing was there and nothing claimed, and 0 elsewhere.

    Args:
        numerator: a number, or an array of any shape.
        denominator: the same, from 0.
        nothing: the same, bool.

    Returns:
        A float, or float64 of that shape.

    >>> ratio(3, 4, False)
    0.75
    >>> ratio(np.array([3, 0, 0]), np.array([4, 0, 0]), np.array([False, True, False]))
    array([0.75, 1.  , 0.  ])
    """
    found: np.ndarray = np.array(nothing, np.float64)
    np.divide(numerator, denominator, out=found, where=np.asarray(denominator) > 0)
    return found if found.ndim else float(found)


def stacked(images: Iterable[SomeCounts] | Iterable[Sequence[SomeCounts]]) -> SomeCounts:
    """The counts of many images as one, whose numbers are arrays.

    Args:
        images: one for each, or a sequence for each, such as one for each threshold.

    Returns:
        Counts of arrays with one value for each image, or images × thresholds.

    Raises:
        ValueError: no images, or not as many thresholds for each.

    >>> stacked([FoundCounts(tp=1), FoundCounts(tp=1, fn=3)]).recall
    array([1.  , 0.25])
    """
    rows = list(images)
    if not rows:
        raise ValueError("no images came, but a score needs one at least; is the data list empty?")
    if isinstance(rows[0], Counts):
        kind: type[Counts] = type(rows[0])
        columns = [[getattr(row, each.name) for row in rows] for each in fields(kind)]
    else:
        curves = cast("list[Sequence[Counts]]", rows)
        lengths = sorted({len(curve) for curve in curves})
        if len(lengths) != 1 or lengths == [0]:
            raise ValueError(
                f"{len(curves)} images with {lengths} thresholds came, but the same thresholds for each, and one at "
                "least, were expected; count all with the same thresholds"
            )
        kind = type(curves[0][0])
        columns = [[[getattr(count, each.name) for count in curve] for curve in curves] for each in fields(kind)]
    return cast("SomeCounts", kind(*map(np.array, columns)))


def over_images(counts: SomeCounts, score: Callable[[SomeCounts], Any], over: Over) -> Any:
    """A score of many images.

    Args:
        counts: `stacked`.
        score: gives the numbers of counts, such as a score at each threshold.
        over: how images are put together.

    Returns:
        What `score` gives of one image.

    >>> counts = stacked([FoundCounts(tp=9, fp=1), FoundCounts(fn=1), FoundCounts(fn=2)])
    >>> over_images(counts, lambda each: each.recall, "pooled")
    0.75
    >>> float(over_images(counts, lambda each: each.recall, "median"))
    0.0
    """
    if over == "pooled":
        return score(type(counts)(*(getattr(counts, each.name).sum(axis=0) for each in fields(counts))))
    return REDUCE[over](score(counts), axis=0)


def weighted(counts: SomeCounts, times: np.ndarray) -> SomeCounts:
    """Pooled counts of many draws of images.

    Args:
        counts: `stacked`.
        times: draws × images, how often each draw has each image.

    Returns:
        Counts of arrays with one value for each draw, or draws × thresholds.

    >>> weighted(stacked([FoundCounts(tp=1), FoundCounts(fn=3)]), np.array([[2, 0], [1, 1]])).fn
    array([0, 3])
    """
    return type(counts)(*(times @ getattr(counts, each.name) for each in fields(counts)))
