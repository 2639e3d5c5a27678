"""Classify segmentation mistakes by kind, so that they can be counted and displayed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.scores.instance_scores import splits_and_merges
from cellseg_monai.scores.matching import Matching, best_pairs
from cellseg_monai.scores.overlap import LabelOverlaps

__all__ = ["Mistakes", "object_mistakes"]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """The wrongly segmented objects in one image, by kind of mistake.

    Args:
        missed: ids of true objects that were not found.
        invented: ids of predicted objects that correspond to no true object.
        loose: ids of true objects that were found, but with an outline too inaccurate to match.
        split: ids of true objects that were predicted in several pieces. One of the pieces can still match the object.
        merged: ids of predicted objects that cover several true objects. One of the true objects can still match.
        unmatched_truth: ids of all true objects without a match.
        unmatched_prediction: ids of all predicted objects without a match.
    """

    missed: np.ndarray
    invented: np.ndarray
    loose: np.ndarray
    split: np.ndarray
    merged: np.ndarray
    unmatched_truth: np.ndarray
    unmatched_prediction: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Number of mistakes of each kind."""
        return {kind: len(getattr(self, kind)) for kind in ("missed", "invented", "loose", "split", "merged")}


def object_mistakes(overlaps: LabelOverlaps, matching: Matching, *, least_iou: float = 0.1) -> Mistakes:
    """Classify unmatched, split and merged objects by kind of mistake.

    `splits_and_merges` finds the split and merged objects, whose pieces and parts count as neither missed nor invented.
    Among the remaining unmatched objects, a true and a predicted object with an IoU above `least_iou` count as one
    object with a loose outline.

    Args:
        overlaps: overlaps between the objects of one image.
        matching: a matching of these overlaps. Its IoU threshold decides whether an object was found.
        least_iou: IoU that loose matches and pieces must exceed.

    >>> from cellseg_monai.scores import label_overlaps, match_objects
    >>> truth = np.array([[1, 1, 1, 1, 0, 2, 0, 3, 3, 3]])
    >>> overlaps = label_overlaps(np.array([[5, 6, 5, 6, 0, 0, 7, 0, 8, 0]]), truth)
    >>> mistakes = object_mistakes(overlaps, match_objects(overlaps, [0.6])[0])
    >>> mistakes.counts
    {'missed': 1, 'invented': 1, 'loose': 1, 'split': 1, 'merged': 0}
    >>> mistakes.missed, mistakes.invented, mistakes.loose, mistakes.split
    (array([2]), array([7]), array([3]), array([1]))
    """
    errors = splits_and_merges(overlaps, least_iou=least_iou)
    unmatched_truth: np.ndarray = np.ones(len(overlaps.truth_ids), bool)
    unmatched_truth[matching.truth_index] = False
    unmatched_prediction: np.ndarray = np.ones(len(overlaps.prediction_ids), bool)
    unmatched_prediction[matching.prediction_index] = False
    lone_truth = unmatched_truth & ~np.isin(overlaps.truth_ids, [*errors.split_truth_ids, *errors.part_truth_ids])
    lone_prediction = unmatched_prediction & ~np.isin(
        overlaps.prediction_ids, [*errors.merged_prediction_ids, *errors.piece_prediction_ids]
    )
    near = np.flatnonzero(
        lone_truth[overlaps.truth_index] & lone_prediction[overlaps.prediction_index] & (overlaps.iou > least_iou)
    )
    pairs = near[
        best_pairs(overlaps.truth_index[near], overlaps.prediction_index[near], overlaps.iou[near], most_pairs=False)
    ]
    loose = overlaps.truth_index[pairs]
    lone_truth[loose] = False
    lone_prediction[overlaps.prediction_index[pairs]] = False
    return Mistakes(
        missed=overlaps.truth_ids[lone_truth],
        invented=overlaps.prediction_ids[lone_prediction],
        loose=overlaps.truth_ids[np.sort(loose)],
        split=errors.split_truth_ids,
        merged=errors.merged_prediction_ids,
        unmatched_truth=overlaps.truth_ids[unmatched_truth],
        unmatched_prediction=overlaps.prediction_ids[unmatched_prediction],
    )
