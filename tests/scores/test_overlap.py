"""Overlaps of two label images, compared with values by hand and a table of all ids made with loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.scores import LabelOverlaps, label_overlaps, overlap

IDS = [0, 1, 2, 7, 300, 70_000, 2**32 + 5, 2**63 - 1]

TRUTH = np.array(
    [
        [0, 4, 4, 4],
        [0, 4, 4, 0],
        [9, 9, 0, 0],
    ]
)
PREDICTION = np.array(
    [
        [0, 0, 2, 2],
        [0, 0, 2, 2],
        [2, 0, 0, 5],
    ]
)


@st.composite
def label_image_pairs(draw: st.DrawFn, ids: list[int] = IDS) -> tuple[np.ndarray, np.ndarray]:
    """Two label images of one shape whose objects compete for each other."""
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    pixels = st.lists(st.sampled_from(ids), min_size=height * width, max_size=height * width)
    first, second = (np.array(draw(pixels), np.int64).reshape(height, width) for _ in range(2))
    return first, second


def as_dictionary(overlaps: LabelOverlaps) -> dict[tuple[int, int], int]:
    truths = overlaps.truth_ids[overlaps.truth_index].tolist()
    predictions = overlaps.prediction_ids[overlaps.prediction_index].tolist()
    return dict(zip(zip(truths, predictions, strict=True), overlaps.pixels.tolist(), strict=True))


def test_pairs_and_areas_of_a_small_image():
    overlaps = label_overlaps(PREDICTION, TRUTH)
    assert overlaps.truth_ids.tolist() == [4, 9]
    assert overlaps.truth_areas.tolist() == [5, 2]
    assert overlaps.prediction_ids.tolist() == [2, 5]
    assert overlaps.prediction_areas.tolist() == [5, 1]
    assert overlaps.truth_index.tolist() == [0, 1]
    assert overlaps.prediction_index.tolist() == [0, 0]
    assert overlaps.pixels.tolist() == [3, 1]
    assert overlaps.unions.tolist() == [7, 6]
    assert overlaps.iou.tolist() == [3 / 7, 1 / 6]
    assert overlaps.share_of_truth.tolist() == [3 / 5, 1 / 2]
    assert overlaps.share_of_prediction.tolist() == [3 / 5, 1 / 5]


@given(label_image_pairs())
def test_overlaps_match_loops_over_all_ids(pair):
    prediction, truth = pair
    overlaps = label_overlaps(prediction, truth)
    expected = {}
    for ids, areas, labels in (
        (overlaps.truth_ids, overlaps.truth_areas, truth),
        (overlaps.prediction_ids, overlaps.prediction_areas, prediction),
    ):
        assert ids.tolist() == sorted(set(labels.ravel().tolist()) - {0})
        assert areas.tolist() == [int((labels == label).sum()) for label in ids]
    for true in overlaps.truth_ids.tolist():
        for predicted in overlaps.prediction_ids.tolist():
            shared = int(((truth == true) & (prediction == predicted)).sum())
            if shared:
                expected[true, predicted] = shared
    assert as_dictionary(overlaps) == expected
    assert list(as_dictionary(overlaps)) == sorted(expected)


@settings(max_examples=50)
@given(label_image_pairs(), st.integers(1, 9), st.integers(1, 5))
def test_blocks_and_intermediate_sums_do_not_change_the_result(pair, block, held):
    whole = label_overlaps(*pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "_BLOCK_PIXELS", block)
        patch.setattr(overlap, "_HELD_RUNS", held)
        blockwise = label_overlaps(*pair)
    assert as_dictionary(blockwise) == as_dictionary(whole)
    assert blockwise.truth_areas.tolist() == whole.truth_areas.tolist()
    assert blockwise.prediction_areas.tolist() == whole.prediction_areas.tolist()


@given(label_image_pairs())
def test_transposing_or_flattening_both_changes_nothing(pair):
    expected = as_dictionary(label_overlaps(*pair))
    assert as_dictionary(label_overlaps(*(labels.T for labels in pair))) == expected
    assert as_dictionary(label_overlaps(*(labels.ravel() for labels in pair))) == expected
    assert as_dictionary(label_overlaps(*(labels[np.newaxis, :, np.newaxis] for labels in pair))) == expected


@pytest.mark.parametrize("dtype", ["uint8", "int16", ">u2", "uint32", "int64", "uint64"])
def test_different_integer_dtypes_can_be_compared(dtype):
    overlaps = label_overlaps(PREDICTION.astype(dtype), TRUTH)
    assert as_dictionary(overlaps) == {(4, 2): 3, (9, 2): 1}
    assert overlaps.prediction_ids.dtype == np.dtype(dtype).newbyteorder("=")


def test_the_largest_possible_ids():
    labels = np.array([[2**64 - 1, 2**64 - 2]], np.uint64)
    assert as_dictionary(label_overlaps(labels, labels)) == {(2**64 - 1,) * 2: 1, (2**64 - 2,) * 2: 1}


def test_more_than_65535_objects():
    labels = np.arange(1, 70_001).reshape(200, 350)
    overlaps = label_overlaps(labels[::-1], labels)
    assert len(overlaps.pixels) == len(overlaps.truth_ids) == 70_000
    assert (overlaps.pixels == 1).all()
    assert overlaps.prediction_ids[overlaps.prediction_index[0]] == labels[-1, 0]


@pytest.mark.parametrize(
    ("prediction", "truth", "shared"),
    [
        (np.zeros((2, 3), int), np.zeros((2, 3), int), {}),
        (np.zeros((2, 3), int), np.full((2, 3), 8), {}),
        (np.full((2, 3), 8), np.full((2, 3), 3), {(3, 8): 6}),
        (np.zeros((0, 3), int), np.zeros((0, 3), int), {}),
        (np.array(5), np.array(6), {(6, 5): 1}),
    ],
    ids=["background only", "an empty prediction", "one giant cell, no background", "no pixels", "no axes"],
)
def test_extremes(prediction, truth, shared):
    assert as_dictionary(label_overlaps(prediction, truth)) == shared


def test_the_images_are_not_changed():
    prediction, truth = PREDICTION.copy(), TRUTH.copy()
    label_overlaps(prediction, truth)
    assert (prediction == PREDICTION).all()
    assert (truth == TRUTH).all()


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (np.ones((2, 2)), np.ones((2, 2), int), "got a prediction of dtype float64"),
        (np.ones((2, 2), int), np.ones((2, 2), bool), "got a true label image of dtype bool"),
        (
            np.ones((2, 2), int),
            np.ones((2, 3), int),
            r"prediction of shape \(2, 2\) and a true label image of shape \(2, 3\)",
        ),
        (np.ones((1, 2), int), np.array([[1, -1]]), "got id -1 in the true label image"),
        (np.array([[-(2**40), 1]]), np.ones((1, 2), int), "got id -1099511627776 in the prediction"),
    ],
    ids=["floats", "a mask", "other shapes", "a negative id", "a large negative id"],
)
def test_other_arrays_are_refused(prediction, truth, message):
    with pytest.raises(ValueError, match=message):
        label_overlaps(prediction, truth)
