"""Kinds of mistakes, on label images small enough to read."""

import numpy as np
import pytest

from cellseg_monai.scores import label_overlaps, match_objects, object_mistakes


def named(truth: list[int], prediction: list[int], *, strict: bool = False) -> dict[str, list[int]]:
    overlaps = label_overlaps(np.array([prediction]), np.array([truth]))
    mistakes = object_mistakes(overlaps, match_objects(overlaps, [0.5], strict=strict)[0])
    assert all(len(getattr(mistakes, kind)) == count for kind, count in mistakes.counts.items())
    return {kind: ids.tolist() for kind, ids in vars(mistakes).items() if len(ids)}


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([0, 0, 0], [0, 0, 0], {}),
        ([0, 7, 7], [0, 9, 9], {}),
        ([0, 7, 7], [0, 0, 0], {"missed": [7], "unmatched_truth": [7]}),
        ([0, 0, 0], [0, 9, 9], {"invented": [9], "unmatched_prediction": [9]}),
        (
            [7, 7, 7, 7, 7],
            [0, 9, 9, 0, 0],
            {"loose": [7], "unmatched_truth": [7], "unmatched_prediction": [9]},
        ),
        # Two halves with an IoU below 0.5 are not invented objects, and the whole object is not missed.
        (
            [7, 7, 7, 7, 7],
            [8, 8, 0, 9, 9],
            {"split": [7], "unmatched_truth": [7], "unmatched_prediction": [8, 9]},
        ),
        ([7, 7, 7, 7, 7], [8, 8, 8, 9, 9], {"split": [7], "unmatched_prediction": [9]}),
        ([7, 7, 7, 8, 8], [9, 9, 9, 9, 9], {"merged": [9], "unmatched_truth": [8]}),
        # The overlap is too small for a piece or a loose match.
        (
            [7] * 11 + [0] * 10,
            [0] * 10 + [9] * 11,
            {"missed": [7], "invented": [9], "unmatched_truth": [7], "unmatched_prediction": [9]},
        ),
    ],
    ids=["empty", "found", "missed", "invented", "loose", "halves", "split and found", "merged", "a mere touch"],
)
def test_each_mistake_has_one_kind(truth: list[int], prediction: list[int], expected: dict[str, list[int]]) -> None:
    assert named(truth, prediction) == expected


def test_a_strict_threshold_leaves_more_objects_unmatched() -> None:
    assert named([7, 7], [9, 0]) == {}
    assert named([7, 7], [9, 0], strict=True) == {
        "loose": [7],
        "unmatched_truth": [7],
        "unmatched_prediction": [9],
    }
