"""Instance scores as defined in the literature, computed from the overlaps of a predicted and a true label image.

Counts add up over images (`ObjectCounts`, `PooledRatio`), so each score can be averaged over images or pooled over all
objects; see `scores.counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cellseg_monai.scores.counts import Counts, ratio
from cellseg_monai.scores.matching import Matching, ObjectCounts, best_pairs, match_objects
from cellseg_monai.scores.overlap import LabelOverlaps

__all__ = [
    "AreaClass",
    "PooledRatio",
    "SplitsAndMerges",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "ctc_segmentation",
    "missed_by_area",
    "panoptic_counts",
    "splits_and_merges",
]


@dataclass(frozen=True)
class PooledRatio(Counts):
    """A score that is a ratio of two sums over objects. Add ratios to pool images.

    The score is 1 if neither ground truth nor prediction contains an object, and 0 if only the prediction does.

    Args:
        numerator: a sum over objects, such as the sum of intersections.
        denominator: a sum over objects, such as the sum of unions.
        claimed: number of predicted objects. It decides the score if the denominator is 0.

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
        """The numerator divided by the denominator."""
        return ratio(self.numerator, self.denominator, self.claimed == 0)


def panoptic_counts(overlaps: LabelOverlaps) -> ObjectCounts:
    """Count objects at an IoU strictly above 0.5, as panoptic quality (PQ) requires.

    PQ is defined by A. Kirillov et al., Panoptic Segmentation, CVPR 2019, doi:10.1109/CVPR.2019.00963. It is the
    `panoptic_quality` of the returned counts. PQ = SQ · RQ, where SQ is `segmentation_quality` and RQ is `f1`. The
    paper scores each class separately; here there is only one class of objects. The paper pools counts over images.

    Args:
        overlaps: overlaps between the objects of one image.

    >>> from cellseg_monai.scores import label_overlaps
    >>> counts = panoptic_counts(label_overlaps(np.array([[1, 1, 1, 0, 2]]), np.array([[1, 1, 1, 1, 0]])))
    >>> counts.segmentation_quality, round(counts.f1, 3), counts.panoptic_quality
    (0.75, 0.667, 0.5)
    """
    return match_objects(overlaps, [0.5], strict=True)[0].counts


def aggregated_jaccard(overlaps: LabelOverlaps) -> PooledRatio:
    """Compute the aggregated Jaccard index (AJI) of one image.

    This is algorithm 1 in N. Kumar et al., IEEE Trans. Med. Imaging 36 (2017), doi:10.1109/TMI.2017.2677499. Each true
    object is paired with the predicted object that has the highest IoU (the first in a tie), even if that prediction
    already belongs to another pair. AJI is the sum of intersections divided by the sum of unions. The areas of all
    unpaired objects, true and predicted, are added to the unions.

    Args:
        overlaps: overlaps between the objects of one image.

    >>> from cellseg_monai.scores import label_overlaps
    >>> truth = np.array([[1, 1, 1, 2, 0]])
    >>> aggregated_jaccard(label_overlaps(np.array([[5, 5, 5, 5, 9]]), truth))  # (3 + 1) / (4 + 4 + 1)
    PooledRatio(numerator=4, denominator=9, claimed=2)
    """
    by_iou = np.lexsort((overlaps.prediction_index, -overlaps.iou, overlaps.truth_index))
    _, first = np.unique(overlaps.truth_index[by_iou], return_index=True)
    return _aggregated(overlaps, by_iou[first])


def aggregated_jaccard_plus(overlaps: LabelOverlaps) -> PooledRatio:
    """Compute AJI+ of one image: the aggregated Jaccard index with at most one true object per prediction.

    This is the AJI variant by S. Graham et al., Medical Image Analysis 58 (2019), doi:10.1016/j.media.2019.101563. It
    uses the one-to-one assignment with the highest sum of IoUs, with no lower limit on the IoU of a pair. No mistake is
    therefore counted more than once.

    Args:
        overlaps: overlaps between the objects of one image.

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
    """Compute SEG, the segmentation score of the Cell Tracking Challenge, of one image.

    SEG is defined in V. Ulman et al., Nature Methods 14 (2017), doi:10.1038/nmeth.4473. The score of a true object is
    its IoU with the predicted object that covers more than half of it, or 0 if there is none. SEG is the mean over all
    true objects. Several true objects can share a prediction. The challenge pools the objects in all images. False
    predictions do not lower SEG unless the image contains no true object; any prediction then scores 0, as in the other
    scores here.

    Args:
        overlaps: overlaps between the objects of one image.

    >>> from cellseg_monai.scores import label_overlaps
    >>> truth = np.array([[1, 1, 1, 2, 2]])
    >>> ctc_segmentation(label_overlaps(np.array([[5, 5, 0, 7, 0]]), truth))  # 2 / 3, and 0 for exactly half
    PooledRatio(numerator=0.6666666666666666, denominator=2, claimed=2)
    """
    covers_most = 2 * overlaps.pixels > overlaps.truth_areas[overlaps.truth_index]
    return PooledRatio(
        numerator=float(overlaps.iou[covers_most].sum()),
        denominator=len(overlaps.truth_ids),
        claimed=len(overlaps.prediction_ids),
    )


@dataclass(frozen=True, eq=False)
class SplitsAndMerges:
    """The objects in one image that were split into pieces or merged; all ids are in increasing order.

    Args:
        split_truth_ids: ids of true objects that were predicted in several pieces.
        merged_prediction_ids: ids of predicted objects that merge several true objects.
        piece_prediction_ids: ids of predicted objects that are pieces of a split object.
        part_truth_ids: ids of true objects that were merged.
    """

    split_truth_ids: np.ndarray
    merged_prediction_ids: np.ndarray
    piece_prediction_ids: np.ndarray
    part_truth_ids: np.ndarray

    @property
    def splits(self) -> int:
        """Number of true objects that were predicted in several pieces."""
        return len(self.split_truth_ids)

    @property
    def merges(self) -> int:
        """Number of predicted objects that merge several true objects."""
        return len(self.merged_prediction_ids)


def splits_and_merges(overlaps: LabelOverlaps, *, least_iou: float = 0.1, inside: float = 0.5) -> SplitsAndMerges:
    """Find true objects that were predicted in several pieces, and predicted objects that merge several true ones.

    A split object is a true object with at least two pieces. A piece is a predicted object whose IoU with the true
    object exceeds `least_iou`, and whose fraction within the true object exceeds `inside`. Merges are defined the other
    way round: a merged object is a predicted object with at least two true objects as pieces. Both comparisons are
    strict, so with the default `inside` a piece belongs to only one object, and a misplaced border between two cells is
    not a split.

    The IoU limit follows J. C. Caicedo et al., Cytometry A 95 (2019), doi:10.1002/cyto.a.23863. Their code has no limit
    like `inside`; set `inside` to 0 to reproduce their numbers.

    Args:
        overlaps: overlaps between the objects of one image.
        least_iou: IoU that a piece and the whole object must exceed.
        inside: limit that the fraction of a piece's area within the whole object must exceed.

    >>> from cellseg_monai.scores import label_overlaps
    >>> overlaps = label_overlaps(np.array([[5, 5, 6, 7, 7, 7]]), np.array([[1, 1, 1, 2, 3, 3]]))
    >>> mistakes = splits_and_merges(overlaps)
    >>> mistakes.split_truth_ids, mistakes.piece_prediction_ids
    (array([1]), array([5, 6]))
    >>> mistakes.merged_prediction_ids, mistakes.part_truth_ids
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
    """The numbers of true and missed objects in a range of areas; to pool images, add instances with the same range.

    Args:
        from_px: lower limit of the area in pixels, inclusive.
        below_px: upper limit of the area in pixels, exclusive; None if there is no limit.
        objects: number of true objects in the range.
        missed: number of true objects in the range without a match.
    """

    from_px: int
    below_px: int | None
    objects: int = 0
    missed: int = 0

    def __add__(self, other: AreaClass) -> AreaClass:
        if (self.from_px, self.below_px) != (other.from_px, other.below_px):
            raise ValueError(
                f"got areas of {self.from_px} to {self.below_px} px and of {other.from_px} to {other.below_px} px, "
                "expected the same range; use the same edges for all images"
            )
        return AreaClass(self.from_px, self.below_px, self.objects + other.objects, self.missed + other.missed)


def missed_by_area(overlaps: LabelOverlaps, matching: Matching, edges_px: Sequence[int]) -> list[AreaClass]:
    """Count missed true objects by their area.

    Caicedo et al. 2019 (doi:10.1002/cyto.a.23863) report these counts at an IoU of 0.7.

    Args:
        overlaps: overlaps between the objects of one image.
        matching: a matching of these overlaps. Its IoU threshold decides whether an object was found.
        edges_px: increasing areas in pixels at which a new range begins; the first range begins at 0.

    Returns:
        One result per range, from small to large areas.

    Raises:
        ValueError: the edges are not positive and increasing.

    >>> from cellseg_monai.scores import label_overlaps
    >>> overlaps = label_overlaps(np.array([[1, 1, 1, 0, 0]]), np.array([[1, 1, 1, 0, 2]]))
    >>> for area_class in missed_by_area(overlaps, match_objects(overlaps, [0.7])[0], [3]):
    ...     print(area_class)
    AreaClass(from_px=0, below_px=3, objects=1, missed=1)
    AreaClass(from_px=3, below_px=None, objects=1, missed=0)
    """
    if any(low >= high for low, high in zip([0, *edges_px], edges_px, strict=False)):
        raise ValueError(f"got edges {list(edges_px)}, expected increasing areas above 0; sort the edges")
    class_of = np.asarray(np.searchsorted(np.asarray(edges_px), overlaps.truth_areas, side="right"))
    objects = np.bincount(class_of, minlength=len(edges_px) + 1)
    matched = np.bincount(class_of[matching.truth_index], minlength=len(edges_px) + 1)
    return [
        AreaClass(from_px, below_px, objects=total, missed=total - hits)
        for from_px, below_px, total, hits in zip(
            [0, *edges_px], [*edges_px, None], objects.tolist(), matched.tolist(), strict=True
        )
    ]
