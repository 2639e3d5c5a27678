"""What went wrong with which object: each mistake has one name, so that it can be counted and shown in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.scores.instance_scores import splits_and_merges
from cellseg_monai.scores.matching import Matching, best_pairs
from cellseg_monai.scores.overlap import LabelOverlaps

__all__ = ["Mistakes", "object_mistakes"]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """The objects of one image that were not found as they are, by what happened to them.

    Args:
        missed: ids of true objects where nothing was found.
        invented: ids of predicted objects where nothing is.
        loose: ids of true objects that were found, but with an outline too far off to count.
        split: ids of true objects that were found in several pieces; one of them may count as found.
        merged: ids of predicted objects that are several true ones; one of these may count as found.
        unmatched_truth: ids of all true objects that do not count as found.
        unmatched_prediction: ids of all predicted objects that count as false.
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
        """How many mistakes of each kind there are."""
        return {kind: len(getattr(self, kind)) for kind in ("missed", "invented", "loose", "split", "merged")}


def object_mistakes(overlaps: LabelOverlaps, matching: Matching, *, least_iou: float = 0.1) -> Mistakes:
    """Name what went wrong with the objects that a matching leaves over, and which objects were split or merged.

    Splits and merges are those of `splits_and_merges`; their pieces and parts are neither missed nor invented. Of the
    rest, a true and a predicted object that overlap by more than `least_iou` are one object with a loose outline.

    Args:
        overlaps: of one image.
        matching: of these overlaps, at the threshold that counts as found.
        least_iou: smaller overlaps are no match, however loose, and no piece.

    >>> from cellseg_monai.scores import label_overlaps, match_objects
    >>> truth = np.array([[1, 1, 1, 1, 0, 2, 0, 3, 3, 3]])
    >>> overlaps = label_overlaps(np.array([[5, 6, 5, 6, 0, 0, 7, 0, 8, 0]]), truth)
    >>> found = object_mistakes(overlaps, match_objects(overlaps, [0.6])[0])
    >>> found.counts
    {'missed': 1, 'invented': 1, 'loose': 1, 'split': 1, 'merged': 0}
    >>> found.missed, found.invented, found.loose, found.split
    (array([2]), array([7]), array([3]), array([1]))
    """
    several = splits_and_merges(overlaps, least_iou=least_iou)
    truths: np.ndarray = np.ones(len(overlaps.truth_ids), bool)
    truths[matching.truth_index] = False
    predictions: np.ndarray = np.ones(len(overlaps.prediction_ids), bool)
    predictions[matching.prediction_index] = False
    lone_truth = truths & ~np.isin(overlaps.truth_ids, [*several.split_truth_ids, *several.part_truth_ids])
    lone_prediction = predictions & ~np.isin(
        overlaps.prediction_ids, [*several.merged_prediction_ids, *several.piece_prediction_ids]
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
        split=several.split_truth_ids,
        merged=several.merged_prediction_ids,
        unmatched_truth=overlaps.truth_ids[truths],
        unmatched_prediction=overlaps.prediction_ids[predictions],
    )
