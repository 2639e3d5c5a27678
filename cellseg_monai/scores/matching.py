"""Match predicted objects to true ones at thresholds of intersection over union (IoU).

A pair can match if its IoU is **at least** the threshold, as in StarDist, Cellpose and COCO. Kirillov et al. (PQ) and
the code by Caicedo et al. require an IoU above the threshold, as does `strict=True`. Write thresholds as literals, such
as 0.6. `np.arange` can return 0.6000000000000001, which an IoU of 3 / 5 does not reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from cellseg_monai.scores.counts import FoundCounts
from cellseg_monai.scores.overlap import LabelOverlaps, label_overlaps

__all__ = ["IOU_THRESHOLDS", "Matching", "ObjectCounts", "best_pairs", "match_objects", "object_counts"]

IOU_THRESHOLDS = tuple(hundredths / 100 for hundredths in range(50, 100, 5))
"""0.50, 0.55, ... 0.95, the ten thresholds of the Data Science Bowl 2018 and COCO."""


@dataclass(frozen=True)
class ObjectCounts(FoundCounts):
    """Counts of matched and unmatched objects at one threshold. Add counts to pool images.

    If neither ground truth nor prediction contains an object, every score is 1, because the prediction is correct.
    Otherwise, a score with a denominator of 0 is 0. A non-empty prediction therefore scores 0 if the ground truth is
    empty.

    Args:
        tp: number of matched pairs.
        fp: number of predicted objects without a true partner.
        fn: number of true objects without a predicted partner.
        iou_sum: sum of the IoUs of all matched pairs.

    >>> ObjectCounts(tp=3, fp=1, fn=1, iou_sum=2.4).f1
    0.75
    >>> ObjectCounts(1, 0, 0, 0.75) + ObjectCounts(0, 0, 2)
    ObjectCounts(tp=1, fp=0, fn=2, iou_sum=0.75)
    """

    scores: ClassVar[tuple[str, ...]] = (
        "f1",
        "precision",
        "recall",
        "accuracy",
        "segmentation_quality",
        "panoptic_quality",
        "found_quality",
    )

    iou_sum: float = 0.0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); equals the recognition quality (RQ) in Kirillov et al. 2019."""
        return self._ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """TP / (TP + FP + FN); "accuracy" in StarDist, "average precision" in Cellpose and the DSB 2018.

        This is not the AP in COCO, which is the area under the precision-recall curve.
        """
        return self._ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def segmentation_quality(self) -> float:
        """Mean IoU of the matched pairs; SQ in Kirillov et al. 2019, "mean matched score" in StarDist."""
        return self._ratio(self.iou_sum, self.tp)

    @property
    def found_quality(self) -> float:
        """Sum of matched IoUs / (TP + FN), which is SQ · recall; "mean true score" in StarDist."""
        return self._ratio(self.iou_sum, self.tp + self.fn)

    @property
    def panoptic_quality(self) -> float:
        """Sum of matched IoUs / (TP + FP / 2 + FN / 2), which is SQ · RQ; see `panoptic_counts`."""
        return self._ratio(self.iou_sum, self.tp + self.fp / 2 + self.fn / 2)


@dataclass(frozen=True, eq=False)
class Matching:
    """The matched pairs of objects at one threshold. Each object is in at most one pair.

    Args:
        threshold: IoU threshold.
        truth_index: position of each pair's true object in `LabelOverlaps.truth_ids`, in increasing order.
        prediction_index: position of each pair's predicted object in `LabelOverlaps.prediction_ids`.
        iou: IoU of each pair.
        truth_count: total number of true objects.
        prediction_count: total number of predicted objects.
    """

    threshold: float
    truth_index: np.ndarray
    prediction_index: np.ndarray
    iou: np.ndarray
    truth_count: int
    prediction_count: int

    @property
    def counts(self) -> ObjectCounts:
        """Counts of matched and unmatched objects, for scoring and pooling."""
        tp = len(self.iou)
        return ObjectCounts(
            tp=tp, fp=self.prediction_count - tp, fn=self.truth_count - tp, iou_sum=float(self.iou.sum())
        )


def match_objects(overlaps: LabelOverlaps, thresholds: Sequence[float], *, strict: bool = False) -> list[Matching]:
    """Find the best one-to-one matching at each threshold.

    The best matching has the largest possible number of pairs and, among matchings of that size, the highest sum of
    IoUs. The result is exact at every threshold; above 0.5, each object has at most one candidate. StarDist's objective
    also includes pairs below the threshold. StarDist's counts are the same, but at thresholds below 0.5 its sum of
    matched IoUs can be lower.

    Args:
        overlaps: overlaps between the objects of one image.
        thresholds: IoU thresholds in any order, each above 0 and at most 1 (at least 0 and below 1 if `strict`).
        strict: True to require an IoU above the threshold, not just equal to it.

    Returns:
        One matching per threshold.

    Raises:
        ValueError: a threshold is out of range.

    >>> overlaps = label_overlaps(np.array([[5, 5, 9, 9]]), np.array([[1, 1, 1, 1]]))
    >>> [len(matching.iou) for matching in match_objects(overlaps, [0.5, 0.6])]
    [1, 0]
    >>> len(match_objects(overlaps, [0.5], strict=True)[0].iou)
    0
    """
    for threshold in thresholds:
        if not (0 <= threshold < 1 if strict else 0 < threshold <= 1):
            limits = "of at least 0 and below 1" if strict else "above 0 and at most 1"
            raise ValueError(f"got threshold {threshold}, expected an IoU {limits}; pass a fraction, such as 0.5")
    matchings = []
    for threshold in thresholds:
        candidates = np.flatnonzero(overlaps.iou > threshold if strict else overlaps.iou >= threshold)
        rows, columns = overlaps.truth_index[candidates], overlaps.prediction_index[candidates]
        chosen = best_pairs(rows, columns, overlaps.iou[candidates], most_pairs=True)
        matchings.append(
            Matching(
                threshold=float(threshold),
                truth_index=rows[chosen],
                prediction_index=columns[chosen],
                iou=overlaps.iou[candidates[chosen]],
                truth_count=len(overlaps.truth_ids),
                prediction_count=len(overlaps.prediction_ids),
            )
        )
    return matchings


def object_counts(
    prediction: np.ndarray, truth: np.ndarray, thresholds: Sequence[float] = IOU_THRESHOLDS, *, strict: bool = False
) -> list[ObjectCounts]:
    """Count the matched and unmatched objects in one image at each threshold.

    Args:
        prediction: predicted ids of any integer dtype and any shape, such as YX; 0 is background.
        truth: true ids of any integer dtype, with the same shape as the prediction.
        thresholds: IoU thresholds.
        strict: True to require an IoU above the threshold, not just equal to it.

    Raises:
        ValueError: an array is not a label image, the shapes differ, or a threshold is out of range.

    >>> object_counts(np.array([[4, 4, 0, 8]]), np.array([[0, 2, 0, 6]]), [0.5, 0.75])
    [ObjectCounts(tp=2, fp=0, fn=0, iou_sum=1.5), ObjectCounts(tp=1, fp=1, fn=1, iou_sum=1.0)]
    """
    return [matching.counts for matching in match_objects(label_overlaps(prediction, truth), thresholds, strict=strict)]


def best_pairs(rows: np.ndarray, columns: np.ndarray, iou: np.ndarray, *, most_pairs: bool) -> np.ndarray:
    """Choose the best pairs such that each row and each column is in at most one of them.

    Args:
        rows: non-negative integers, the row of each candidate pair.
        columns: non-negative integers, the column of each candidate pair.
        iou: IoU of each candidate pair, above 0 and at most 1.
        most_pairs: True to maximise the number of pairs first, then the sum of IoUs; False to maximise only the sum of
            IoUs, even if that gives fewer pairs.

    Returns:
        Positions of the chosen pairs among the candidates, in increasing order.

    >>> rows, columns, iou = np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.1, 0.2])
    >>> best_pairs(rows, columns, iou, most_pairs=True)
    array([1, 2])
    >>> best_pairs(rows, columns, iou, most_pairs=False)
    array([0])
    """
    open_pairs, kept = np.arange(len(rows)), []
    while len(open_pairs):
        open_rows, open_columns = rows[open_pairs], columns[open_pairs]
        undisputed = _undisputed(open_rows, open_columns, iou[open_pairs], most_pairs)
        kept.append(open_pairs[undisputed])
        taken = _is_member(open_rows, open_rows[undisputed]) | _is_member(open_columns, open_columns[undisputed])
        open_pairs, before = open_pairs[~taken], len(open_pairs)
        if len(open_pairs) > 0.9 * before:  # few undisputed pairs are left
            chosen = _assigned(rows[open_pairs], columns[open_pairs], iou[open_pairs], most_pairs)
            kept.append(open_pairs[chosen])
            break
    return np.sort(np.concatenate([np.zeros(0, np.intp), *kept]))


def _undisputed(rows: np.ndarray, columns: np.ndarray, iou: np.ndarray, most_pairs: bool) -> np.ndarray:
    """Return the positions of pairs that are certain to be in some optimal assignment.

    Choosing a pair excludes at most one other pair in its row and one in its column from an assignment. The pair can be
    chosen if even the best two excluded pairs are together worth no more. If the number of pairs has priority, the pair
    must exclude at most one other pair. This settles most cells and leaves few for the assignment, which takes
    quadratic time.
    """
    best: np.ndarray = np.ones(len(rows), bool)
    rivals: list[np.ndarray] = []
    for nodes in (rows, columns):
        if np.bincount(nodes).max() == 1:
            rivals.append(np.zeros(len(nodes)))
            continue
        order = np.lexsort((-iou, nodes))
        first = np.diff(nodes[order], prepend=-1) > 0
        best[order] &= first
        # Sorted in this way, the best pair of each node is followed by the best pair that it excludes, if any.
        following: np.ndarray = np.append(np.where(first[1:], 0, iou[order[1:]]), 0)
        excluded: np.ndarray = np.empty(len(nodes))
        excluded[order] = following
        rivals.append(excluded)
    is_worth_it = (rivals[0] == 0) | (rivals[1] == 0) if most_pairs else iou >= rivals[0] + rivals[1]
    return np.flatnonzero(best & is_worth_it)


def _is_member(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return True for each value that is among the chosen ones. All values are non-negative integers."""
    table: np.ndarray = np.zeros(values.max() + 1, bool)
    table[chosen] = True
    return table[values]


def _assigned(rows: np.ndarray, columns: np.ndarray, iou: np.ndarray, most_pairs: bool) -> np.ndarray:
    """Return the positions of the pairs in an optimal assignment.

    The cost matrix is sparse, because all cells in a tissue without gaps form a single component, and a dense matrix of
    40,000² costs would take 13 GB. Each row also gets an extra column of its own with the highest cost, which stands
    for having no partner.
    """
    _, rows = np.unique(rows, return_inverse=True)
    _, columns = np.unique(columns, return_inverse=True)
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    alone: np.ndarray = np.full(height, 2.0)
    if most_pairs:
        # In a component with at most k pairs, one more pair must outweigh any sum of k IoUs.
        nodes = height + width
        graph = sparse.coo_matrix((np.ones(len(rows)), (rows, height + columns)), shape=(nodes, nodes))
        parts, part = csgraph.connected_components(graph, directed=False)
        row_counts = np.bincount(part[:height], minlength=parts)
        column_counts = np.bincount(part[height:], minlength=parts)
        alone += np.minimum(row_counts, column_counts)[part[:height]]
    own = np.arange(height)
    costs = sparse.coo_matrix(
        # All costs must be above 0, because the solver treats 0 as a missing edge.
        (np.concatenate([2 - iou, alone]), (np.concatenate([rows, own]), np.concatenate([columns, width + own]))),
        shape=(height, width + height),
    ).tocsr()
    _, partners = csgraph.min_weight_full_bipartite_matching(costs)
    return np.flatnonzero(partners[rows] == columns)
