import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import DiceMetric, MeanIoU

from cellseg_monai.decoding import Postprocessing, foreground_mask
from cellseg_monai.scores import (
    ForegroundCounts,
    foreground_counts,
    foreground_counts_by_threshold,
    over_images,
)

SCORES = ("dice", "iou", "precision", "recall", "accuracy")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (ForegroundCounts(tp=2, fp=1, fn=1, tn=4), (2 / 3, 1 / 2, 2 / 3, 2 / 3, 6 / 8)),
        (ForegroundCounts(tp=3, fp=3, fn=0, tn=2), (6 / 9, 1 / 2, 1 / 2, 1, 5 / 8)),
        (ForegroundCounts(tp=8), (1, 1, 1, 1, 1)),
        (ForegroundCounts(tn=8), (1, 1, 1, 1, 1)),
        (ForegroundCounts(fp=1, tn=7), (0, 0, 0, 0, 7 / 8)),
        (ForegroundCounts(fn=1, tn=7), (0, 0, 0, 0, 7 / 8)),
        (ForegroundCounts(fp=2, fn=2, tn=4), (0, 0, 0, 0, 1 / 2)),
    ],
    ids=[
        "some of each",
        "too much predicted",
        "all foreground and found",
        "nothing there, nothing claimed",
        "nothing there, something claimed",
        "something there, nothing claimed",
        "side by side",
    ],
)
def test_scores_by_hand(counts, expected):
    assert tuple(getattr(counts, name) for name in SCORES) == pytest.approx(expected)


def test_pixels_are_counted_by_hand():
    prediction = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    truth = np.array([[1, 0, 0, 0], [1, 1, 0, 0]], bool)
    assert foreground_counts(prediction, truth) == ForegroundCounts(tp=2, fp=1, fn=1, tn=4)


def test_the_mean_of_images_and_the_pooled_score_differ():
    counts = [ForegroundCounts(tp=90, fp=10), ForegroundCounts(fn=1, tn=99)]
    assert over_images(counts, "dice", "mean") == pytest.approx((180 / 190 + 0) / 2)
    assert over_images(counts, "dice", "pooled") == pytest.approx(180 / 191)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 0.1, 0.5, 1]), st.sampled_from([0, 0.1, 0.5, 1]))
def test_per_image_scores_are_those_of_monai(seed, share_predicted, share_true):
    rng = np.random.default_rng(seed)
    prediction = rng.random((3, 1, 9, 7)) < share_predicted
    truth = rng.random((3, 1, 9, 7)) < share_true
    counts = [foreground_counts(p, t) for p, t in zip(prediction, truth, strict=True)]
    for name, metric in (("dice", DiceMetric(ignore_empty=False)), ("iou", MeanIoU(ignore_empty=False))):
        metric(y_pred=torch.from_numpy(prediction).float(), y=torch.from_numpy(truth).float())
        assert over_images(counts, name, "mean") == pytest.approx(metric.aggregate().item(), abs=1e-6)


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 4), min_size=1, max_size=5))
def test_every_score_is_finite_within_0_and_1_and_dice_follows_iou(rows):
    counts = [ForegroundCounts(*row) for row in rows]
    for name in SCORES:
        assert 0 <= over_images(counts, name, "mean") <= 1
    pooled = sum(counts, ForegroundCounts())
    assert math.isclose(pooled.dice, 2 * pooled.iou / (1 + pooled.iou))
    assert over_images(counts, "iou", "pooled") == pooled.iou


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"got a prediction of shape \(2, 2\) and a true mask of shape \(2, 3\)"):
        foreground_counts(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


def test_label_images_are_refused_where_masks_are_expected():
    with pytest.raises(ValueError, match="got a true mask of dtype int64, expected bool"):
        foreground_counts(np.zeros((2, 2), bool), np.zeros((2, 2), np.int64))


@pytest.mark.parametrize("over", ["mean", "pooled"])
def test_no_images_and_no_such_score_are_refused(over):
    with pytest.raises(ValueError, match="got no images"):
        over_images([], "dice", over)
    with pytest.raises(ValueError, match="got score 'f1', expected one of dice, iou"):
        over_images([ForegroundCounts(tp=1)], "f1", over)


# Multiples of 0.05, so that values often equal a threshold, in either precision.
LEVELS = st.integers(0, 20).map(lambda step: step / 20)


@given(
    pixels=st.lists(st.tuples(LEVELS, st.booleans()), max_size=30),
    thresholds=st.lists(LEVELS.filter(lambda level: level < 1), unique=True, max_size=6).map(sorted),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_many_thresholds_together_count_like_each_on_its_own(pixels, thresholds, dtype):
    probabilities = np.array([level for level, _ in pixels], dtype)
    truth = np.array([inside for _, inside in pixels], bool)
    each = [
        foreground_counts(foreground_mask(probabilities, Postprocessing(threshold=threshold)), truth)
        for threshold in thresholds
    ]
    assert foreground_counts_by_threshold(probabilities, truth, thresholds) == each


@pytest.mark.parametrize(
    ("probabilities", "truth", "thresholds", "message"),
    [
        ([0.5, math.nan], [True, False], [0.5], "expected probabilities between 0 and 1"),
        ([0.5, 3.0], [True, False], [0.5], "if these are logits, apply a sigmoid"),
        ([0.5, 0.5], [1, 0], [0.5], "expected equal shapes and a bool mask"),
        ([0.5], [True, False], [0.5], "expected equal shapes"),
        ([0.5, 0.5], [True, False], [0.5, 0.5], "expected increasing numbers"),
    ],
    ids=["NaN", "logits", "integer truth", "other shape", "equal thresholds"],
)
def test_what_cannot_be_counted_by_threshold_is_refused(probabilities, truth, thresholds, message):
    with pytest.raises(ValueError, match=message):
        foreground_counts_by_threshold(np.array(probabilities), np.array(truth), thresholds)


def test_dice_pooled_over_two_classes_is_accuracy():
    """This is why it is not reported: with both classes pooled, each wrong pixel is one FP and one FN."""
    prediction = np.array([1, 1, 0, 0, 0, 0, 0, 0], bool)
    truth = np.array([1, 0, 1, 0, 0, 0, 0, 0], bool)
    foreground, background = foreground_counts(prediction, truth), foreground_counts(~prediction, ~truth)
    both = foreground + background
    assert both.dice == foreground.accuracy == 6 / 8
    assert both.iou == pytest.approx(0.75 / (2 - 0.75))
    assert foreground.dice == 0.5
