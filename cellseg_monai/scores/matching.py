"""Predicted objects matched to true ones, at many thresholds of their intersection over union (IoU).

A pair may match if its IoU is **at least** the threshold, as StarDist, Cellpose and COCO have it. Kirillov et al. (PQ)
and the code of Caicedo et al. demand more than the threshold: `strict=True`. Give thresholds as they are written, 0.6,
not as `np.arange` makes them: it gives 0.6000000000000001, which an IoU of 3 / 5 misses.
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
"""0.50, 0.55, ... 0.95: the ten of the Data Science Bowl 2018 and of COCO."""


@dataclass(frozen=True)
class ObjectCounts(FoundCounts):
    """Objects by whether they were found, at one threshold; add counts to pool images.

    Where neither truth nor prediction has an object, every score is 1: nothing was there and nothing was claimed.
    Where a denominator is 0 otherwise, it is 0; so an empty truth with any prediction scores 0 throughout.

    Args:
        tp: matched pairs.
        fp: predicted objects without a true one.
        fn: true objects without a predicted one.
        iou_sum: of the matched pairs.

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
        """2 TP / (2 TP + FP + FN); also the recognition quality (RQ) of Kirillov et al. 2019."""
        return self._ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """TP / (TP + FP + FN): StarDist's "accuracy", Cellpose's and the DSB 2018's "average precision".

        Not COCO's AP, which is the area below a curve of precision over recall.
        """
        return self._ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def segmentation_quality(self) -> float:
        """The mean IoU of the matched pairs: SQ of Kirillov et al. 2019, StarDist's "mean matched score"."""
        return self._ratio(self.iou_sum, self.tp)

    @property
    def found_quality(self) -> float:
        """IoU of the matched / (TP + FN), which is SQ · recall: StarDist's "mean true score"."""
        return self._ratio(self.iou_sum, self.tp + self.fn)

    @property
    def panoptic_quality(self) -> float:
        """IoU of the matched / (TP + FP / 2 + FN / 2), which is SQ · RQ; see `panoptic_counts`."""
        return self._ratio(self.iou_sum, self.tp + self.fp / 2 + self.fn / 2)


@dataclass(frozen=True, eq=False)
class Matching:
    """The pairs that belong together at one threshold: each object in one pair at most.

    Args:
        threshold: of the IoU.
        truth_index: of each pair, the position in `LabelOverlaps.truth_ids`, increasing.
        prediction_index: of each pair, the position in `LabelOverlaps.prediction_ids`.
        iou: of each pair.
        truth_count: how many true objects there are.
        prediction_count: how many predicted ones.
    """

    threshold: float
    truth_index: np.ndarray
    prediction_index: np.ndarray
    iou: np.ndarray
    truth_count: int
    prediction_count: int

    @property
    def counts(self) -> ObjectCounts:
        """Matched and left over, to be scored and pooled."""
        tp = len(self.iou)
        return ObjectCounts(
            tp=tp, fp=self.prediction_count - tp, fn=self.truth_count - tp, iou_sum=float(self.iou.sum())
        )


def match_objects(overlaps: LabelOverlaps, thresholds: Sequence[float], *, strict: bool = False) -> list[Matching]:
    """The best one-to-one matching at each threshold: as many pairs as possible, of those the highest sum of IoU.

    Exact at every threshold. Above 0.5 an object has one candidate at most, so nothing is left to choose. StarDist
    weighs pairs below the threshold into its sum of IoU as well: the same counts, sometimes a lower sum below 0.5.

    Args:
        overlaps: of one image.
        thresholds: of the IoU, each above 0 and at most 1 (at least 0 and below 1 if strict), in any order.
        strict: a pair matches if its IoU is greater than the threshold, rather than at least as great.

    Returns:
        One for each threshold.

    Raises:
        ValueError: a threshold out of range.

    >>> overlaps = label_overlaps(np.array([[5, 5, 9, 9]]), np.array([[1, 1, 1, 1]]))
    >>> [len(matching.iou) for matching in match_objects(overlaps, [0.5, 0.6])]
    [1, 0]
    >>> len(match_objects(overlaps, [0.5], strict=True)[0].iou)
    0
    """
    for threshold in thresholds:
        if not (0 <= threshold < 1 if strict else 0 < threshold <= 1):
            raise ValueError(
                f"threshold {threshold} came, but an IoU {'from 0 to below 1' if strict else 'above 0, up to 1,'} "
                "was expected; give a fraction, such as 0.5"
            )
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
    """Count the objects of one image by whether they were found, at each threshold.

    Args:
        prediction: ids of any integer dtype, YX or any shape, 0 is background.
        truth: the same shape.
        thresholds: of the IoU.
        strict: the IoU must be greater than the threshold, rather than at least as great.

    Raises:
        ValueError: no label images, shapes that differ, or a threshold out of range.

    >>> object_counts(np.array([[4, 4, 0, 8]]), np.array([[0, 2, 0, 6]]), [0.5, 0.75])
    [ObjectCounts(tp=2, fp=0, fn=0, iou_sum=1.5), ObjectCounts(tp=1, fp=1, fn=1, iou_sum=1.0)]
    """
    return [each.counts for each in match_objects(label_overlaps(prediction, truth), thresholds, strict=strict)]


def best_pairs(rows: np.ndarray, columns: np.ndarray, iou: np.ndarray, *, most_pairs: bool) -> np.ndarray:
    """Which pairs to keep so that no row and no column is in two of them.

    Args:
        rows: of each candidate pair, its row: whole numbers from 0.
        columns: of each, its column.
        iou: of each, above 0 and at most 1.
        most_pairs: as many pairs as possible, of those the highest sum; False takes the highest sum outright, which
            may be had with fewer.

    Returns:
        The positions of the kept pairs, increasing.

    >>> rows, columns, iou = np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.1, 0.2])
    >>> best_pairs(rows, columns, iou, most_pairs=True)
    array([1, 2])
    >>> best_pairs(rows, columns, iou, most_pairs=False)
    array([0])
    """
    left, kept = np.arange(len(rows)), []
    while len(left):
        at, on, quality = rows[left], columns[left], iou[left]
        sure = _undisputed(at, on, quality, most_pairs)
        kept.append(left[sure])
        taken = _member(at, at[sure]) | _member(on, on[sure])
        left, before = left[~taken], len(left)
        if len(left) > 0.9 * before:  # hardly any is undisputed any more
            kept.append(left[_assigned(rows[left], columns[left], iou[left], most_pairs)])
            break
    return np.sort(np.concatenate([np.zeros(0, np.intp), *kept]))


def _undisputed(rows: np.ndarray, columns: np.ndarray, iou: np.ndarray, most_pairs: bool) -> np.ndarray:
    """The positions of pairs that some optimal assignment has: what they displace is worth no more than they are.

    A pair displaces one other pair of its row, and one of its column. If even the best of these together are not
    worth more, they can be given up for it; where the number of pairs comes first, only one may be displaced. Most
    cells are settled so, which leaves little to the assignment, whose time grows with the square.
    """
    best: np.ndarray = np.ones(len(rows), bool)
    rival: list[np.ndarray] = []
    for nodes in (rows, columns):
        if np.bincount(nodes).max() == 1:
            rival.append(np.zeros(len(nodes)))
            continue
        order = np.lexsort((-iou, nodes))
        first = np.diff(nodes[order], prepend=-1) > 0
        best[order] &= first
        # The next in order, if of the same node, is the best that the best displaces.
        following: np.ndarray = np.append(np.where(first[1:], 0, iou[order[1:]]), 0)
        displaced: np.ndarray = np.empty(len(nodes))
        displaced[order] = following
        rival.append(displaced)
    worth = (rival[0] == 0) | (rival[1] == 0) if most_pairs else iou >= rival[0] + rival[1]
    return np.flatnonzero(best & worth)


def _member(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Which values, whole numbers from 0, are among the chosen."""
    table: np.ndarray = np.zeros(values.max() + 1, bool)
    table[chosen] = True
    return table[values]


def _assigned(rows: np.ndarray, columns: np.ndarray, iou: np.ndarray, most_pairs: bool) -> np.ndarray:
    """The positions of the pairs of an optimal assignment.

    Sparse, as a tissue without gaps is a single component of all its cells: a dense matrix of 40,000² takes 13 GB.
    Every row has a column of its own besides, the dearest choice, which stands for staying alone.
    """
    _, rows = np.unique(rows, return_inverse=True)
    _, columns = np.unique(columns, return_inverse=True)
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    alone: np.ndarray = np.full(height, 2.0)
    if most_pairs:
        # In a component with k pairs at most, one pair more has to outweigh any sum of k IoU.
        nodes = height + width
        graph = sparse.coo_matrix((np.ones(len(rows)), (rows, height + columns)), shape=(nodes, nodes))
        parts, part = csgraph.connected_components(graph, directed=False)
        row_counts = np.bincount(part[:height], minlength=parts)
        column_counts = np.bincount(part[height:], minlength=parts)
        alone += np.minimum(row_counts, column_counts)[part[:height]]
    own = np.arange(height)
    costs = sparse.coo_matrix(
        # All above 0, which the solver would take for no edge.
        (np.concatenate([2 - iou, alone]), (np.concatenate([rows, own]), np.concatenate([columns, width + own]))),
        shape=(height, width + height),
    ).tocsr()
    _, partners = csgraph.min_weight_full_bipartite_matching(costs)
    return np.flatnonzero(partners[rows] == columns)
