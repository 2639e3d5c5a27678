"""Scores of instances, each as its paper defines it, from the overlaps of a predicted and a true label image.

As for the foreground, images are put together in two ways: the mean of the images' own scores, or pooled, all objects
counting the same. What a pooled score needs is added up: `ObjectCounts` and `PooledRatio`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cellseg_monai.scores.counts import Counts, over_images, ratio, stacked
from cellseg_monai.scores.matching import Matching, ObjectCounts, best_pairs, match_objects
from cellseg_monai.scores.overlap import LabelOverlaps

__all__ = [
    "OBJECT_SCORES",
    "AreaClass",
    "PooledRatio",
    "SplitsAndMerges",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "ctc_segmentation",
    "missed_by_area",
    "object_scores",
    "panoptic_counts",
    "splits_and_merges",
]

OBJECT_SCORES = ObjectCounts.scores


@dataclass(frozen=True)
class PooledRatio(Counts):
    """A score that is a ratio of two sums over objects; add ratios to pool images.

    Where neither truth nor prediction has an object, the score is 1; where only the prediction has, 0.

    Args:
        numerator: such as a sum of intersections.
        denominator: such as a sum of unions.
        claimed: predicted objects; they decide where the denominator is 0.

    >>> (PooledRatio(3, 4, claimed=1) + PooledRatio(0, 2)).score
    0.5
    >>> PooledRatio(0, 0).score, PooledRatio(0, 0, claimed=2).score
    (1.0, 0.0)
    """

    scores: ClassVar[tuple[str, ...]] = ("score",)

    numerator: float = 0
    denominator: float = 0
    claimed: int = 0

    @property
    def score(self) -> float:
        """Numerator over denominator."""
        return ratio(self.numerator, self.denominator, self.claimed == 0)


def object_scores(images: Iterable[Sequence[ObjectCounts]], name: str, *, pooled: bool) -> np.ndarray:
    """A score at each threshold, of many images: the curve of a score over IoU, whose mean is the mean score.

    Args:
        images: of each, `object_counts` at the same thresholds.
        name: one of `OBJECT_SCORES`.
        pooled: True counts the objects of all images together; False takes the mean of the images' own scores.

    Returns:
        float64, one for each threshold.

    Raises:
        ValueError: no images, no such score, or images with different numbers of thresholds.

    >>> images = [[ObjectCounts(tp=9, fp=1), ObjectCounts(tp=5, fp=5, fn=4)], [ObjectCounts(fp=2), ObjectCounts(fp=2)]]
    >>> object_scores(images, "precision", pooled=True)
    array([0.75      , 0.41666667])
    >>> object_scores(images, "precision", pooled=False)
    array([0.45, 0.25])
    """
    score = ObjectCounts.score_named(name)
    return np.asarray(over_images(stacked(images), score, "pooled" if pooled else "mean"))


def panoptic_counts(overlaps: LabelOverlaps) -> ObjectCounts:
    """Counts at an IoU above 0.5, strictly, whose `panoptic_quality` is that of Kirillov et al. 2019.

    A. Kirillov et al., Panoptic Segmentation, CVPR 2019, doi:10.1109/CVPR.2019.00963: PQ = SQ · RQ, where SQ is
    `segmentation_quality` and RQ `f1`. They score each class on its own; here there is one, the objects. Counts add
    up, and the paper pools so over images.

    >>> from cellseg_monai.scores import label_overlaps
    >>> counts = panoptic_counts(label_overlaps(np.array([[1, 1, 1, 0, 2]]), np.array([[1, 1, 1, 1, 0]])))
    >>> counts.segmentation_quality, round(counts.f1, 3), counts.panoptic_quality
    (0.75, 0.667, 0.5)
    """
    return match_objects(overlaps, [0.5], strict=True)[0].counts


def aggregated_jaccard(overlaps: LabelOverlaps) -> PooledRatio:
    """The aggregated Jaccard index, AJI.

    N. Kumar et al., IEEE Trans. Med. Imaging 36 (2017), doi:10.1109/TMI.2017.2677499, algorithm 1: each true object
    takes the prediction of the highest IoU, the first of equal ones, even if another object has taken it as well.
    Intersections over unions of all, where objects that overlap nothing and predictions that nobody took add their
    areas to the unions.

    >>> from cellseg_monai.scores import label_overlaps
    >>> truth = np.array([[1, 1, 1, 2, 0]])
    >>> aggregated_jaccard(label_overlaps(np.array([[5, 5, 5, 5, 9]]), truth))  # (3 + 1) / (4 + 4 + 1)
    PooledRatio(numerator=4, denominator=9, claimed=2)
    """
    by_iou = np.lexsort((overlaps.prediction_index, -overlaps.iou, overlaps.truth_index))
    _, first = np.unique(overlaps.truth_index[by_iou], return_index=True)
    return _aggregated(overlaps, by_iou[first])


def aggregated_jaccard_plus(overlaps: LabelOverlaps) -> PooledRatio:
    """AJI+, the aggregated Jaccard index with each prediction taken once.

    S. Graham et al., Medical Image Analysis 58 (2019), doi:10.1016/j.media.2019.101563: as AJI, but with the
    one-to-one assignment of the highest sum of IoU (of any IoU above 0), so that one fault does not count repeatedly.

    >>> from cellseg_monai.scores import label_overlaps
    >>> truth = np.array([[1, 1, 1, 2, 0]])
    >>> aggregated_jaccard_plus(label_overlaps(np.array([[5, 5, 5, 5, 9]]), truth))  # 3 / (4 + 1 + 1)
    PooledRatio(numerator=3, denominator=6, claimed=2)
    """
    return _aggregated(
        overlaps, best_pairs(overlaps.truth_index, overlaps.prediction_index, overlaps.iou, most_pairs=False)
    )


def _aggregated(overlaps: LabelOverlaps, pairs: np.ndarray) -> PooledRatio:
    missed: np.ndarray = np.delete(overlaps.truth_areas, overlaps.truth_index[pairs])
    unclaimed: np.ndarray = np.delete(overlaps.prediction_areas, overlaps.prediction_index[pairs])
    return PooledRatio(
        numerator=int(overlaps.pixels[pairs].sum()),
        denominator=int(overlaps.unions[pairs].sum() + missed.sum() + unclaimed.sum()),
        claimed=len(overlaps.prediction_ids),
    )


def ctc_segmentation(overlaps: LabelOverlaps) -> PooledRatio:
    """SEG of the Cell Tracking Challenge.

    V. Ulman et al., Nature Methods 14 (2017), doi:10.1038/nmeth.4473: the mean over true objects of the IoU with the
    prediction that covers more than half of the object, 0 where none does. Several objects may share a prediction.
    The challenge pools the objects of all images. Predictions elsewhere cost nothing, except, as for the other
    scores here, where no true object is at all.

    >>> from cellseg_monai.scores import label_overlaps
    >>> truth = np.array([[1, 1, 1, 2, 2]])
    >>> ctc_segmentation(label_overlaps(np.array([[5, 5, 0, 7, 0]]), truth))  # 2 / 3 and, of just half, 0
    PooledRatio(numerator=0.6666666666666666, denominator=2, claimed=2)
    """
    found = 2 * overlaps.pixels > overlaps.truth_areas[overlaps.truth_index]
    return PooledRatio(
        numerator=float(overlaps.iou[found].sum()),
        denominator=len(overlaps.truth_ids),
        claimed=len(overlaps.prediction_ids),
    )


@dataclass(frozen=True, eq=False)
class SplitsAndMerges:
    """Which objects were cut apart or put together.

    Args:
        split_truth_ids: true objects in several pieces, increasing.
        merged_prediction_ids: predicted objects of several true ones, increasing.
        piece_prediction_ids: the pieces of the split objects, increasing.
        part_truth_ids: the true objects that were merged, increasing.
    """

    split_truth_ids: np.ndarray
    merged_prediction_ids: np.ndarray
    piece_prediction_ids: np.ndarray
    part_truth_ids: np.ndarray

    @property
    def splits(self) -> int:
        """How many true objects are in several pieces."""
        return len(self.split_truth_ids)

    @property
    def merges(self) -> int:
        """How many predicted objects cover several true ones."""
        return len(self.merged_prediction_ids)


def splits_and_merges(overlaps: LabelOverlaps, *, least_iou: float = 0.1, inside: float = 0.5) -> SplitsAndMerges:
    """True objects predicted as several, and predictions that are several true objects.

    A split is a true object with at least two pieces: predictions whose IoU with it exceeds `least_iou`, and of whose
    own area more than the part `inside` lies in it. A merge is the mirror: a prediction with at least two such true
    objects. Both strictly, so a piece belongs to one object only, and a border drawn in the wrong place between two
    cells is no split.

    The IoU is that of J. C. Caicedo et al., Cytometry A 95 (2019), doi:10.1002/cyto.a.23863, whose code knows no
    `inside`: set it to 0 for their numbers.

    Args:
        overlaps: of one image.
        least_iou: smaller overlaps are no piece.
        inside: the part of a piece that must lie in the object.

    >>> from cellseg_monai.scores import label_overlaps
    >>> overlaps = label_overlaps(np.array([[5, 5, 6, 7, 7, 7]]), np.array([[1, 1, 1, 2, 3, 3]]))
    >>> found = splits_and_merges(overlaps)
    >>> found.split_truth_ids, found.piece_prediction_ids
    (array([1]), array([5, 6]))
    >>> found.merged_prediction_ids, found.part_truth_ids
    (array([7]), array([2, 3]))
    """
    touching = overlaps.iou > least_iou
    truths, predictions = overlaps.truth_index, overlaps.prediction_index
    pieces = touching & (overlaps.share_of_prediction > inside)
    parts = touching & (overlaps.share_of_truth > inside)
    split = np.bincount(truths[pieces], minlength=len(overlaps.truth_ids)) > 1
    merged = np.bincount(predictions[parts], minlength=len(overlaps.prediction_ids)) > 1
    return SplitsAndMerges(
        split_truth_ids=overlaps.truth_ids[split],
        merged_prediction_ids=overlaps.prediction_ids[merged],
        piece_prediction_ids=overlaps.prediction_ids[np.unique(predictions[pieces & split[truths]])],
        part_truth_ids=overlaps.truth_ids[np.unique(truths[parts & merged[predictions]])],
    )


@dataclass(frozen=True)
class AreaClass:
    """True objects of similar area, and how many of them were missed; add the same class of other images.

    Args:
        from_px: the smallest area.
        below_px: areas are smaller than this; None for no limit.
        objects: true objects of such an area.
        missed: of these, those without a match.
    """

    from_px: int
    below_px: int | None
    objects: int = 0
    missed: int = 0

    def __add__(self, other: AreaClass) -> AreaClass:
        if (self.from_px, self.below_px) != (other.from_px, other.below_px):
            raise ValueError(
                f"areas {self.from_px} to {self.below_px} and {other.from_px} to {other.below_px} px came, but the "
                "same class was expected; count all images with the same edges"
            )
        return AreaClass(self.from_px, self.below_px, self.objects + other.objects, self.missed + other.missed)


def missed_by_area(overlaps: LabelOverlaps, matching: Matching, edges_px: Sequence[int]) -> list[AreaClass]:
    """How many true objects were missed, by their area.

    Caicedo et al. 2019 (doi:10.1002/cyto.a.23863) report this at an IoU of 0.7.

    Args:
        overlaps: of one image.
        matching: of these overlaps, at the threshold that counts as found.
        edges_px: the areas, increasing, at which a new class begins; the first class begins at 0.

    Raises:
        ValueError: edges are not positive and increasing.

    >>> from cellseg_monai.scores import label_overlaps
    >>> overlaps = label_overlaps(np.array([[1, 1, 1, 0, 0]]), np.array([[1, 1, 1, 0, 2]]))
    >>> for each in missed_by_area(overlaps, match_objects(overlaps, [0.7])[0], [3]):
    ...     print(each)
    AreaClass(from_px=0, below_px=3, objects=1, missed=1)
    AreaClass(from_px=3, below_px=None, objects=1, missed=0)
    """
    if any(low >= high for low, high in zip([0, *edges_px], edges_px, strict=False)):
        raise ValueError(f"edges {list(edges_px)} came, but increasing areas above 0 were expected; sort them")
    class_of = np.asarray(np.searchsorted(np.asarray(edges_px), overlaps.truth_areas, side="right"))
    objects = np.bincount(class_of, minlength=len(edges_px) + 1)
    found = np.bincount(class_of[matching.truth_index], minlength=len(edges_px) + 1)
    return [
        AreaClass(from_px, below_px, objects=total, missed=total - matched)
        for from_px, below_px, total, matched in zip(
            [0, *edges_px], [*edges_px, None], objects.tolist(), found.tolist(), strict=True
        )
    ]
