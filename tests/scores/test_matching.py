"""Matching of objects: written out, against the dense assignment over all objects, and against StarDist."""

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
    """Two label images: of pixels drawn one by one, or the second made of the first by shifting and overwriting."""
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
    """How many pairs an optimal assignment over the whole matrix has, and their sum of IoU."""
    rows, columns = linear_sum_assignment(np.where(allowed, min(iou.shape) + iou, 0), maximize=True)
    kept = allowed[rows, columns]
    return int(kept.sum()), float(iou[rows, columns][kept].sum())


@settings(max_examples=300)
@given(label_image_pairs(), st.booleans())
def test_it_is_the_dense_assignment_over_all_objects(pair, strict):
    iou = dense_iou(*pair)
    thresholds = [threshold for threshold in THRESHOLDS if threshold < 1 or not strict]
    found = object_counts(*pair, thresholds, strict=strict)
    for threshold, counts in zip(thresholds, found, strict=True):
        tp, iou_sum = dense_matching(iou, iou > threshold if strict else iou >= threshold)
        assert (counts.tp, counts.fp, counts.fn) == (tp, iou.shape[1] - tp, iou.shape[0] - tp), threshold
        assert counts.iou_sum == pytest.approx(iou_sum), threshold


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30), st.floats(0.05, 1), st.booleans())
def test_pairs_of_random_matrices_are_as_good_as_those_of_the_dense_assignment(seed, height, width, density, most):
    rng = np.random.default_rng(seed)
    # Coarse values, for ties.
    iou = (rng.integers(1, 21, (height, width)) / 20) * (rng.random((height, width)) < density)
    rows, columns = np.nonzero(iou)
    kept = best_pairs(rows, columns, iou[rows, columns], most_pairs=most)
    assert len(set(rows[kept])) == len(set(columns[kept])) == len(kept)
    found = iou[rows[kept], columns[kept]].sum()
    if most:
        assert (len(kept), found) == pytest.approx(dense_matching(iou, iou > 0))
    else:
        assert found == pytest.approx(iou[linear_sum_assignment(iou, maximize=True)].sum())


@given(label_image_pairs())
def test_each_object_is_in_one_pair_at_most_and_each_pair_reaches_the_threshold(pair):
    overlaps = label_overlaps(*pair)
    iou = dense_iou(*pair)
    for matching in match_objects(overlaps, THRESHOLDS):
        assert (np.diff(matching.truth_index) > 0).all()
        assert len(set(matching.prediction_index.tolist())) == len(matching.iou)
        assert (matching.iou >= matching.threshold).all()
        assert matching.iou == pytest.approx(iou[matching.truth_index, matching.prediction_index])


@given(label_image_pairs())
def test_exchanging_truth_and_prediction_exchanges_false_and_missed(pair):
    prediction, truth = pair
    forth, back = (object_counts(*each, THRESHOLDS) for each in ((prediction, truth), (truth, prediction)))
    for one, other in zip(forth, back, strict=True):
        assert (one.tp, one.fp, one.fn) == (other.tp, other.fn, other.fp)
        assert one.iou_sum == pytest.approx(other.iou_sum)


@given(label_image_pairs(), st.permutations([3, 88, 1000, 2**20, 2**40]))
def test_renumbering_and_transposing_change_nothing(pair, ids):
    _, positions = np.unique(pair, return_inverse=True)
    has_background = 0 in pair[0] or 0 in pair[1]
    new = np.array([0, *ids] if has_background else [*ids, 2**41])[positions].reshape(2, *pair[0].shape)
    for one, other in zip(object_counts(*pair, THRESHOLDS), object_counts(new[0].T, new[1].T, THRESHOLDS), strict=True):
        assert (one.tp, one.fp, one.fn) == (other.tp, other.fp, other.fn)
        assert one.iou_sum == pytest.approx(other.iou_sum)


# prediction, truth, and tp, fp, fn, sum of IoU at a few thresholds, counted by hand
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
    "two halves, of which one counts": ([[1, 1, 2, 2]], [[7, 7, 7, 7]], {0.5: (1, 1, 0, 0.5), 0.55: (0, 2, 1, 0)}),
    "a merge of two": ([[7, 7, 7, 7]], [[1, 1, 1, 2]], {0.5: (1, 0, 1, 0.75), 0.75: (1, 0, 1, 0.75)}),
    "exactly 3 / 5, as a threshold is written": ([[1, 1, 1, 0, 0]], [[1, 1, 1, 1, 1]], {0.6: (1, 0, 0, 0.6)}),
    # 1 and 8 share 2 of 4 pixels (0.5), 1 and 9 one of 4 (0.25), 2 and 8 one of 3: two pairs beat the best one.
    "two poor pairs before one good one": (
        [[8, 8, 9, 8]],
        [[1, 1, 1, 2]],
        {0.2: (2, 0, 0, 1 / 3 + 1 / 3), 0.4: (1, 1, 1, 0.5)},
    ),
}


@pytest.mark.parametrize(("prediction", "truth", "expected"), TABLE.values(), ids=TABLE.keys())
def test_counts_by_hand(prediction, truth, expected):
    found = object_counts(np.array(prediction), np.array(truth), list(expected))
    for counts, (tp, fp, fn, iou_sum) in zip(found, expected.values(), strict=True):
        assert (counts.tp, counts.fp, counts.fn) == (tp, fp, fn)
        assert counts.iou_sum == pytest.approx(iou_sum)


def test_strictly_greater_leaves_out_an_iou_of_exactly_the_threshold():
    half = np.array([[1, 1, 0, 0]]), np.array([[1, 1, 1, 1]])
    assert object_counts(*half, [0.5])[0].tp == 1
    assert object_counts(*half, [0.5], strict=True)[0].tp == 0
    assert object_counts(*half, [0.0], strict=True)[0].tp == 1


def test_thresholds_come_back_in_the_order_given():
    third = np.array([[1, 0, 0]]), np.array([[1, 1, 1]])
    assert [each.tp for each in object_counts(*third, [0.9, 0.2, 0.5])] == [0, 1, 0]
    assert object_counts(*third, []) == []


def test_the_ten_thresholds_are_those_that_one_writes():
    assert IOU_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_a_tissue_whose_cells_all_touch_is_matched_in_little_memory():
    """At a low threshold all 10,000 are one component, for which a dense matrix would take 800 MB."""
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


# counts, and what follows from them
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
        ([0.5, 0], False, "threshold 0 came"),
        ([1.01], False, "threshold 1.01 came"),
        ([float("nan")], False, "threshold nan came"),
        ([1], True, "threshold 1 came"),
        ([-0.1], True, "threshold -0.1 came"),
    ],
)
def test_it_refuses_thresholds_out_of_range(thresholds, strict, message):
    overlaps = label_overlaps(np.array([[1]]), np.array([[1]]))
    with pytest.raises(ValueError, match=message):
        match_objects(overlaps, thresholds, strict=strict)


@settings(max_examples=100)
@given(label_image_pairs())
def test_same_counts_as_stardist(pair):
    stardist = pytest.importorskip("stardist.matching", reason="StarDist is not installed")
    # Its table is as long as the largest id.
    prediction, truth = (np.unique(np.append(labels, 0), return_inverse=True)[1][:-1] for labels in pair)
    for counts, theirs in zip(
        object_counts(*pair, THRESHOLDS), stardist.matching(truth, prediction, thresh=THRESHOLDS), strict=True
    ):
        assert (counts.tp, counts.fp, counts.fn) == (theirs.tp, theirs.fp, theirs.fn)
        if theirs.thresh >= 0.5:
            assert counts.iou_sum == pytest.approx(theirs.mean_matched_score * theirs.tp)
        else:  # it weighs pairs below the threshold into the choice
            assert counts.iou_sum >= theirs.mean_matched_score * theirs.tp - 1e-6
