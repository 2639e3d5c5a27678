"""Which mistake is which, on label images small enough to be read."""

import numpy as np
import pytest

from cellseg_monai.scores import label_overlaps, match_objects, object_mistakes


def named(truth: list[int], prediction: list[int], *, strict: bool = False) -> dict[str, list[int]]:
    overlaps = label_overlaps(np.array([prediction]), np.array([truth]))
    found = object_mistakes(overlaps, match_objects(overlaps, [0.5], strict=strict)[0])
    assert all(len(getattr(found, kind)) == count for kind, count in found.counts.items())
    return {kind: ids.tolist() for kind, ids in vars(found).items() if len(ids)}


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
        # Two halves: neither reaches more than half; they are no invented objects, nor is the whole one missed.
        (
            [7, 7, 7, 7, 7],
            [8, 8, 0, 9, 9],
            {"split": [7], "unmatched_truth": [7], "unmatched_prediction": [8, 9]},
        ),
        ([7, 7, 7, 7, 7], [8, 8, 8, 9, 9], {"split": [7], "unmatched_prediction": [9]}),
        ([7, 7, 7, 8, 8], [9, 9, 9, 9, 9], {"merged": [9], "unmatched_truth": [8]}),
        # A touch too small to be a piece or a loose match.
        (
            [7] * 11 + [0] * 10,
            [0] * 10 + [9] * 11,
            {"missed": [7], "invented": [9], "unmatched_truth": [7], "unmatched_prediction": [9]},
        ),
    ],
    ids=["empty", "found", "missed", "invented", "loose", "halves", "split and found", "merged", "a mere touch"],
)
def test_each_mistake_has_one_name(truth: list[int], prediction: list[int], expected: dict[str, list[int]]) -> None:
    assert named(truth, prediction) == expected


def test_a_strict_threshold_leaves_more_over() -> None:
    assert named([7, 7], [9, 0]) == {}
    assert named([7, 7], [9, 0], strict=True) == {
        "loose": [7],
        "unmatched_truth": [7],
        "unmatched_prediction": [9],
    }
