"""Scores of instances: counted by hand, and against loops that follow the definitions object by object."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.scores import (
    AreaClass,
    ObjectCounts,
    PooledRatio,
    aggregated_jaccard,
    aggregated_jaccard_plus,
    ctc_segmentation,
    label_overlaps,
    match_objects,
    missed_by_area,
    over_images,
    panoptic_counts,
    splits_and_merges,
)

# prediction, truth; then AJI, AJI+, SEG and PQ, splits and merges
TABLE = {
    "the same objects, gapped and large ids": ([[5, 5, 0, 2**40]], [[70_000, 70_000, 0, 3]], 1, 1, 1, 1, 0, 0),
    "background only": ([[0, 0]], [[0, 0]], 1, 1, 1, 1, 0, 0),
    "an empty truth": ([[1, 0]], [[0, 0]], 0, 0, 0, 0, 0, 0),
    "an empty prediction": ([[0, 0]], [[1, 2]], 0, 0, 0, 0, 0, 0),
    "one giant cell, no background": ([[4, 4], [4, 4]], [[9, 9], [9, 9]], 1, 1, 1, 1, 0, 0),
    # 3 / 4 for both pairs of two; nothing matches twice.
    "no background, a border one pixel off": (
        [[1, 1, 1, 2, 2, 2, 2, 2]],
        [[1, 1, 1, 1, 2, 2, 2, 2]],
        (3 + 4) / (4 + 5),
        (3 + 4) / (4 + 5),
        (3 / 4 + 4 / 5) / 2,
        (3 / 4 + 4 / 5) / 2,
        0,
        0,
    ),
    # IoU exactly 1 / 2: not a match for PQ, which needs more, nor for SEG, which needs more than half of the object.
    "a split in halves": ([[1, 1, 2, 2]], [[7, 7, 7, 7]], 2 / 6, 2 / 6, 0, 0, 1, 0),
    # The larger piece is 3 / 4 of the object; the smaller piece is unmatched and adds to the union.
    "a split in uneven pieces": ([[1, 1, 1, 2]], [[7, 7, 7, 7]], 3 / 5, 3 / 5, 3 / 4, 0.75 / 1.5, 1, 0),
    # AJI: both objects take the merged one, (3 + 1) / (4 + 4); AJI+: one of them, 3 / (4 + 1).
    "a merge": ([[7, 7, 7, 7]], [[1, 1, 1, 2]], 4 / 8, 3 / 5, (3 / 4 + 1 / 4) / 2, 0.75 / 1.5, 0, 1),
    "apart": ([[1, 1, 0, 0]], [[0, 0, 2, 2]], 0, 0, 0, 0, 0, 0),
    # Predictions elsewhere: in the unions and in PQ, but not in SEG.
    "a false object": ([[1, 1, 0, 8]], [[1, 1, 0, 0]], 2 / 3, 2 / 3, 1, 1 / 1.5, 0, 0),
    # The prediction covers 3 / 5 of the object but three pixels more: SEG counts what PQ does not.
    "covered, but not matched": (
        [[0, 0, 3, 3, 3, 3, 3, 3]],
        [[3, 3, 3, 3, 3, 0, 0, 0]],
        3 / 8,
        3 / 8,
        3 / 8,
        0,
        0,
        0,
    ),
    # IoU 1 / 2 with the first and 1 / 4 with the others: both AJI and AJI+ take the first.
    "a poor prediction across three": (
        [[6, 6, 6, 6]],
        [[1, 1, 2, 3]],
        4 / 12,
        2 / 6,
        (2 / 4 + 1 / 4 + 1 / 4) / 3,
        0,
        0,
        1,
    ),
}


@pytest.mark.parametrize(
    ("prediction", "truth", "aji", "aji_plus", "seg", "pq", "splits", "merges"), TABLE.values(), ids=TABLE.keys()
)
def test_scores_by_hand(prediction, truth, aji, aji_plus, seg, pq, splits, merges):
    overlaps = label_overlaps(np.array(prediction), np.array(truth))
    found = splits_and_merges(overlaps)
    assert aggregated_jaccard(overlaps).score == pytest.approx(aji)
    assert aggregated_jaccard_plus(overlaps).score == pytest.approx(aji_plus)
    assert ctc_segmentation(overlaps).score == pytest.approx(seg)
    assert panoptic_counts(overlaps).panoptic_quality == pytest.approx(pq)
    assert (found.splits, found.merges) == (splits, merges)


@st.composite
def label_image_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two label images of the same shape, with pixels drawn one by one so that objects compete."""
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    pixels = st.lists(st.sampled_from([0, 1, 2, 5, 2**33]), min_size=height * width, max_size=height * width)
    first, second = (np.array(draw(pixels), np.int64).reshape(height, width) for _ in range(2))
    return first, second


def masks(labels: np.ndarray) -> list[np.ndarray]:
    return [labels == label for label in np.unique(labels) if label]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


@given(label_image_pairs())
def test_aji_follows_its_algorithm_object_by_object(pair):
    predictions, truths = masks(pair[0]), masks(pair[1])
    intersection = union = 0
    taken = set()
    for true in truths:
        candidates = [iou(true, predicted) for predicted in predictions]
        if max(candidates, default=0) == 0:
            union += true.sum()
            continue
        best = int(np.argmax(candidates))
        taken.add(best)
        intersection += (true & predictions[best]).sum()
        union += (true | predictions[best]).sum()
    union += sum(predicted.sum() for index, predicted in enumerate(predictions) if index not in taken)
    found = aggregated_jaccard(label_overlaps(*pair))
    assert (found.numerator, found.denominator, found.claimed) == (intersection, union, len(predictions))


@given(label_image_pairs())
def test_seg_is_the_mean_over_true_objects(pair):
    predictions, truths = masks(pair[0]), masks(pair[1])
    scores = [
        sum(iou(true, predicted) for predicted in predictions if 2 * (true & predicted).sum() > true.sum())
        for true in truths
    ]
    expected = np.mean(scores) if scores else float(not predictions)
    assert ctc_segmentation(label_overlaps(*pair)).score == pytest.approx(expected)


@given(label_image_pairs(), st.sampled_from([0, 0.1, 0.3]), st.sampled_from([0, 0.5]))
def test_splits_and_merges_are_counted_object_by_object(pair, least_iou, inside):
    predictions, truths = masks(pair[0]), masks(pair[1])

    def pieces(whole: np.ndarray, others: list[np.ndarray]) -> int:
        return sum(iou(whole, other) > least_iou and (whole & other).sum() / other.sum() > inside for other in others)

    found = splits_and_merges(label_overlaps(*pair), least_iou=least_iou, inside=inside)
    assert found.splits == sum(pieces(true, predictions) > 1 for true in truths)
    assert found.merges == sum(pieces(predicted, truths) > 1 for predicted in predictions)


@given(label_image_pairs())
def test_exchanging_truth_and_prediction_exchanges_splits_and_merges(pair):
    forth, back = (splits_and_merges(label_overlaps(*each)) for each in (pair, pair[::-1]))
    assert forth.split_truth_ids.tolist() == back.merged_prediction_ids.tolist()
    assert forth.merged_prediction_ids.tolist() == back.split_truth_ids.tolist()


@given(label_image_pairs())
def test_all_scores_lie_between_0_and_1_and_are_1_for_the_truth_itself(pair):
    prediction, truth = pair
    for score in (aggregated_jaccard, aggregated_jaccard_plus, ctc_segmentation):
        assert 0 <= score(label_overlaps(prediction, truth)).score <= 1
        assert score(label_overlaps(truth, truth)).score == pytest.approx(1)
    assert panoptic_counts(label_overlaps(truth, truth)).panoptic_quality == 1


@given(label_image_pairs())
def test_renumbering_and_transposing_change_no_score(pair):
    new = (np.where(labels > 0, labels * 3 + 2**20, 0).T for labels in pair)
    old_overlaps, new_overlaps = label_overlaps(*pair), label_overlaps(*new)
    for score in (aggregated_jaccard, aggregated_jaccard_plus, ctc_segmentation, panoptic_counts):
        assert score(new_overlaps) == score(old_overlaps)


def test_ids_of_what_was_split_and_merged():
    truth = np.array([[3, 3, 3, 3, 0, 8, 8, 2**40, 2**40, 9]])
    prediction = np.array([[1, 1, 4, 4, 0, 70_000, 70_000, 70_000, 70_000, 9]])
    found = splits_and_merges(label_overlaps(prediction, truth))
    assert found.split_truth_ids.tolist() == [3]
    assert found.merged_prediction_ids.tolist() == [70_000]


def test_a_border_in_the_wrong_place_is_a_split_for_caicedo_but_not_here():
    # Prediction 2 has 2 of its 5 pixels in object 1: IoU 2 / 7; object 2 lies within prediction 2.
    truth = np.array([[1, 1, 1, 1, 2, 2, 2]])
    prediction = np.array([[1, 1, 2, 2, 2, 2, 2]])
    overlaps = label_overlaps(prediction, truth)
    assert splits_and_merges(overlaps).splits == 0
    assert splits_and_merges(overlaps).merges == 0
    theirs = splits_and_merges(overlaps, inside=0)
    assert (theirs.splits, theirs.merges) == (1, 1)


def test_a_tenth_of_an_object_is_not_a_piece():
    truth = np.ones((1, 10), int)
    assert splits_and_merges(label_overlaps(np.array([[1] * 9 + [2]]), truth)).splits == 0
    assert splits_and_merges(label_overlaps(np.array([[1] * 8 + [2] * 2]), truth)).splits == 1


def test_pooling_adds_objects_and_the_mean_adds_scores():
    good, bad, empty = PooledRatio(3, 4, claimed=1), PooledRatio(0, 6, claimed=2), PooledRatio(0, 0)
    assert sum((good, bad, empty), PooledRatio()) == PooledRatio(3, 10, claimed=3)
    assert np.mean([each.score for each in (good, bad, empty)]) == pytest.approx((0.75 + 0 + 1) / 3)


def test_scores_at_each_threshold_over_images():
    first = [ObjectCounts(tp=2, fp=0, fn=0, iou_sum=1.8), ObjectCounts(tp=1, fp=1, fn=1, iou_sum=1)]
    second = [ObjectCounts(tp=0, fp=4, fn=0)] * 2
    empty = [ObjectCounts()] * 2
    images = [first, second, empty]
    assert over_images(images, "f1", "pooled") == pytest.approx([4 / 8, 2 / 8])
    assert over_images(images, "f1", "mean") == pytest.approx([(1 + 0 + 1) / 3, (0.5 + 0 + 1) / 3])
    assert over_images(images, "accuracy", "pooled") == pytest.approx([2 / 6, 1 / 7])
    assert over_images([first], "panoptic_quality", "pooled") == pytest.approx([0.9, 0.5])


@pytest.mark.parametrize(
    ("images", "name", "message"),
    [
        ([[ObjectCounts()]], "dice", "got score 'dice'"),
        ([], "f1", "got no images"),
        ([[ObjectCounts()], [ObjectCounts()] * 2], "f1", r"2 images with \[1, 2\] thresholds"),
    ],
    ids=["no such score", "no images", "other thresholds"],
)
@pytest.mark.parametrize("over", ["mean", "pooled"])
def test_scores_refuse(images, name, message, over):
    with pytest.raises(ValueError, match=message):
        over_images(images, name, over)


def test_missed_by_area():
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3, 0, 5, 5]])
    prediction = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 3, 0, 5, 5]])
    overlaps = label_overlaps(prediction, truth)
    found = missed_by_area(overlaps, match_objects(overlaps, [0.7])[0], [2, 4])
    assert found == [AreaClass(0, 2, 1, 0), AreaClass(2, 4, 2, 1), AreaClass(4, None, 1, 0)]
    strict = missed_by_area(overlaps, match_objects(overlaps, [0.8])[0], [2, 4])
    assert strict[2] == AreaClass(4, None, 1, 1)
    assert found[2] + strict[2] == AreaClass(4, None, 2, 1)
    assert missed_by_area(overlaps, match_objects(overlaps, [0.7])[0], []) == [AreaClass(0, None, 4, 1)]


def test_edges_that_do_not_increase_and_other_classes_are_refused():
    overlaps = label_overlaps(np.array([[1]]), np.array([[1]]))
    matching = match_objects(overlaps, [0.5])[0]
    for edges in ([0, 3], [5, 5], [9, 3]):
        with pytest.raises(ValueError, match="expected increasing areas above 0"):
            missed_by_area(overlaps, matching, edges)
    with pytest.raises(ValueError, match="expected the same range"):
        AreaClass(0, 5) + AreaClass(0, 6)
