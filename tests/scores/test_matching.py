"""Matching of objects, compared with values by hand, a dense assignment over all objects, and StarDist."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from cellseg_monai.scores import IOU_THRESHOLDS, ObjectCounts, label_overlaps, match_objects, object_counts
from cellseg_monai.scores.matching import best_pairs

THRESHOLDS = [0.01, 0.1, 0.25, 1 / 3, 0.4, 0.5, 0.6, 0.75, 1.0]


@st.composite
def label_image_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two label images: both with random pixels, or the second made from the first by shifting and overwriting."""
    ids = [0, 1, 2, 5, 70_000, 2**32 + 1]
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    pixels = st.lists(st.sampled_from(ids), min_size=height * width, max_size=height * width)
    first = np.array(draw(pixels), np.int64).reshape(height, width)
    if draw(st.booleans()):
        return np.array(draw(pixels), np.int64).reshape(height, width), first
    second = np.roll(first, draw(st.integers(0, 2)), axis=draw(st.integers(0, 1)))
    second[: draw(st.integers(0, height)), : draw(st.integers(0, width))] = draw(st.sampled_from(ids))
    return second, first


def dense_iou(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    truths, predictions = ([label for label in np.unique(labels) if label] for labels in (truth, prediction))
    iou: np.ndarray = np.zeros((len(truths), len(predictions)))
    for row, true in enumerate(truths):
        for column, predicted in enumerate(predictions):
            first, second = truth == true, prediction == predicted
            iou[row, column] = (first & second).sum() / (first | second).sum()
    return iou


def dense_matching(iou: np.ndarray, allowed: np.ndarray) -> tuple[int, float]:
    """Return the number of pairs of an optimal assignment over the whole matrix, and their sum of IoU."""
    rows, columns = linear_sum_assignment(np.where(allowed, min(iou.shape) + iou, 0), maximize=True)
    kept = allowed[rows, columns]
    return int(kept.sum()), float(iou[rows, columns][kept].sum())


@settings(max_examples=300)
@given(label_image_pairs(), st.booleans())
def test_counts_match_a_dense_assignment_over_all_objects(pair, strict):
    iou = dense_iou(*pair)
    thresholds = [threshold for threshold in THRESHOLDS if threshold < 1 or not strict]
    all_counts = object_counts(*pair, thresholds, strict=strict)
    for threshold, counts in zip(thresholds, all_counts, strict=True):
        tp, iou_sum = dense_matching(iou, iou > threshold if strict else iou >= threshold)
        assert (counts.tp, counts.fp, counts.fn) == (tp, iou.shape[1] - tp, iou.shape[0] - tp), threshold
        assert counts.iou_sum == pytest.approx(iou_sum), threshold


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30), st.floats(0.05, 1), st.booleans())
def test_pairs_of_random_matrices_are_as_good_as_those_of_a_dense_assignment(seed, height, width, density, most):
    rng = np.random.default_rng(seed)
    # Coarse values, so that there are ties.
    iou = (rng.integers(1, 21, (height, width)) / 20) * (rng.random((height, width)) < density)
    rows, columns = np.nonzero(iou)
    kept = best_pairs(rows, columns, iou[rows, columns], most_pairs=most)
    assert len(set(rows[kept])) == len(set(columns[kept])) == len(kept)
    iou_sum = iou[rows[kept], columns[kept]].sum()
    if most:
        assert (len(kept), iou_sum) == pytest.approx(dense_matching(iou, iou > 0))
    else:
        assert iou_sum == pytest.approx(iou[linear_sum_assignment(iou, maximize=True)].sum())


@given(label_image_pairs())
def test_each_object_is_in_at_most_one_pair_and_each_pair_reaches_the_threshold(pair):
    overlaps = label_overlaps(*pair)
    iou = dense_iou(*pair)
    for matching in match_objects(overlaps, THRESHOLDS):
        assert (np.diff(matching.truth_index) > 0).all()
        assert len(set(matching.prediction_index.tolist())) == len(matching.iou)
        assert (matching.iou >= matching.threshold).all()
        assert matching.iou == pytest.approx(iou[matching.truth_index, matching.prediction_index])


@given(label_image_pairs())
def test_swapping_truth_and_prediction_swaps_false_and_missed_objects(pair):
    prediction, truth = pair
    original = object_counts(prediction, truth, THRESHOLDS)
    for counts, swapped in zip(original, object_counts(truth, prediction, THRESHOLDS), strict=True):
        assert (counts.tp, counts.fp, counts.fn) == (swapped.tp, swapped.fn, swapped.fp)
        assert counts.iou_sum == pytest.approx(swapped.iou_sum)


@given(label_image_pairs(), st.permutations([3, 88, 1000, 2**20, 2**40]))
def test_renumbering_and_transposing_change_nothing(pair, ids):
    _, positions = np.unique(pair, return_inverse=True)
    has_background = 0 in pair[0] or 0 in pair[1]
    new = np.array([0, *ids] if has_background else [*ids, 2**41])[positions].reshape(2, *pair[0].shape)
    original = object_counts(*pair, THRESHOLDS)
    for counts, changed in zip(original, object_counts(new[0].T, new[1].T, THRESHOLDS), strict=True):
        assert (counts.tp, counts.fp, counts.fn) == (changed.tp, changed.fp, changed.fn)
        assert counts.iou_sum == pytest.approx(changed.iou_sum)


# prediction, truth, and by threshold: tp, fp, fn and sum of IoU, counted by hand
TABLE = {
    "the same objects under other ids": ([[7, 7, 0, 9]], [[1, 1, 0, 2]], {0.5: (2, 0, 0, 2), 1.0: (2, 0, 0, 2)}),
    "gapped ids and ids above 65,535 and 2**32": (
        [[1, 2, 3, 50, 70_000, 2**33]],
        [[2**40, 50, 2, 3, 65_536, 1]],
        {0.5: (6, 0, 0, 6), 1.0: (6, 0, 0, 6)},
    ),
    "ids that agree up to 65,536": ([[1, 65_537]], [[1, 65_537]], {0.5: (2, 0, 0, 2)}),
    "background only": ([[0, 0]], [[0, 0]], {0.5: (0, 0, 0, 0)}),
    "an empty truth": ([[1, 2]], [[0, 0]], {0.5: (0, 2, 0, 0)}),
    "an empty prediction": ([[0, 0, 0]], [[4, 4, 9]], {0.5: (0, 0, 2, 0)}),
    "no background pixel": ([[1, 1, 2, 2]], [[1, 1, 1, 2]], {0.5: (2, 0, 0, 2 / 3 + 1 / 2), 0.6: (1, 1, 1, 2 / 3)}),
    "one giant cell": ([[3, 3], [3, 3]], [[8, 8], [8, 8]], {0.5: (1, 0, 0, 1), 1.0: (1, 0, 0, 1)}),
    "exactly half": ([[1, 1, 0, 0]], [[1, 1, 1, 1]], {0.5: (1, 0, 0, 0.5), 0.55: (0, 1, 1, 0)}),
    "two halves, one of which counts": ([[1, 1, 2, 2]], [[7, 7, 7, 7]], {0.5: (1, 1, 0, 0.5), 0.55: (0, 2, 1, 0)}),
    "a merge of two": ([[7, 7, 7, 7]], [[1, 1, 1, 2]], {0.5: (1, 0, 1, 0.75), 0.75: (1, 0, 1, 0.75)}),
    "exactly 3 / 5, with the threshold as a literal": ([[1, 1, 1, 0, 0]], [[1, 1, 1, 1, 1]], {0.6: (1, 0, 0, 0.6)}),
    # 1 and 8 share 2 of 4 pixels (0.5), 1 and 9 one of 4 (0.25), 2 and 8 one of 3: two pairs beat the best one.
    "two poor pairs before one good one": (
        [[8, 8, 9, 8]],
        [[1, 1, 1, 2]],
        {0.2: (2, 0, 0, 1 / 3 + 1 / 3), 0.4: (1, 1, 1, 0.5)},
    ),
}


@pytest.mark.parametrize(("prediction", "truth", "expected"), TABLE.values(), ids=TABLE.keys())
def test_counts_by_hand(prediction, truth, expected):
    all_counts = object_counts(np.array(prediction), np.array(truth), list(expected))
    for counts, (tp, fp, fn, iou_sum) in zip(all_counts, expected.values(), strict=True):
        assert (counts.tp, counts.fp, counts.fn) == (tp, fp, fn)
        assert counts.iou_sum == pytest.approx(iou_sum)


def test_a_strict_threshold_excludes_an_iou_equal_to_it():
    half = np.array([[1, 1, 0, 0]]), np.array([[1, 1, 1, 1]])
    assert object_counts(*half, [0.5])[0].tp == 1
    assert object_counts(*half, [0.5], strict=True)[0].tp == 0
    assert object_counts(*half, [0.0], strict=True)[0].tp == 1


def test_counts_are_in_the_order_of_the_thresholds():
    third = np.array([[1, 0, 0]]), np.array([[1, 1, 1]])
    assert [counts.tp for counts in object_counts(*third, [0.9, 0.2, 0.5])] == [0, 1, 0]
    assert object_counts(*third, []) == []


def test_the_ten_thresholds_equal_their_literals():
    assert IOU_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_a_tissue_whose_cells_all_touch_is_matched_in_little_memory():
    """At a low threshold, all 10,000 cells are one component; a dense matrix would take 800 MB."""
    rows, columns = np.mgrid[:200, :500]
    truth = 1 + (rows // 2) * 100 + columns // 5
    prediction = 1 + ((rows + 1) // 2) * 101 + (columns + 1) // 5
    overlaps = label_overlaps(prediction, truth)
    tracemalloc.start()
    matching = match_objects(overlaps, [0.05])[0]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert matching.counts.tp == len(overlaps.truth_ids) == 10_000
    assert peak_bytes < 50e6


# counts, and the scores that follow from them
SCORES = [
    ((3, 1, 2, 2.4), {"precision": 3 / 4, "recall": 3 / 5, "f1": 6 / 9, "accuracy": 3 / 6}),
    ((3, 1, 2, 2.4), {"segmentation_quality": 0.8, "panoptic_quality": 2.4 / 4.5}),
    ((0, 0, 0, 0), dict.fromkeys(("precision", "recall", "f1", "accuracy"), 1)),
    ((0, 0, 0, 0), dict.fromkeys(("segmentation_quality", "panoptic_quality"), 1)),
    ((0, 2, 0, 0), dict.fromkeys(("precision", "recall", "f1", "accuracy"), 0)),
    ((0, 2, 0, 0), dict.fromkeys(("segmentation_quality", "panoptic_quality"), 0)),
    ((0, 0, 2, 0), dict.fromkeys(("precision", "recall", "f1", "accuracy"), 0)),
    ((0, 0, 2, 0), dict.fromkeys(("segmentation_quality", "panoptic_quality"), 0)),
]


@pytest.mark.parametrize(("counts", "expected"), SCORES)
def test_scores_of_counts(counts, expected):
    for name, value in expected.items():
        assert getattr(ObjectCounts(*counts), name) == pytest.approx(value), name


@pytest.mark.parametrize(
    ("thresholds", "strict", "message"),
    [
        ([0.5, 0], False, "got threshold 0,"),
        ([1.01], False, "got threshold 1.01,"),
        ([float("nan")], False, "got threshold nan,"),
        ([1], True, "got threshold 1,"),
        ([-0.1], True, "got threshold -0.1,"),
    ],
)
def test_thresholds_out_of_range_are_refused(thresholds, strict, message):
    overlaps = label_overlaps(np.array([[1]]), np.array([[1]]))
    with pytest.raises(ValueError, match=message):
        match_objects(overlaps, thresholds, strict=strict)


@settings(max_examples=100)
@given(label_image_pairs())
def test_counts_match_stardist(pair):
    stardist = pytest.importorskip("stardist.matching", reason="StarDist is not installed")
    # StarDist's table is as long as the largest id.
    prediction, truth = (np.unique(np.append(labels, 0), return_inverse=True)[1][:-1] for labels in pair)
    for counts, theirs in zip(
        object_counts(*pair, THRESHOLDS), stardist.matching(truth, prediction, thresh=THRESHOLDS), strict=True
    ):
        assert (counts.tp, counts.fp, counts.fn) == (theirs.tp, theirs.fp, theirs.fn)
        if theirs.thresh >= 0.5:
            assert counts.iou_sum == pytest.approx(theirs.mean_matched_score * theirs.tp)
        else:  # StarDist also includes pairs below the threshold in the sum that it optimises
            assert counts.iou_sum >= theirs.mean_matched_score * theirs.tp - 1e-6
