import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.scores import ForegroundCounts, ObjectCounts, PooledRatio, bootstrap_interval, over_images

SCORES = ("dice", "iou", "precision", "recall", "accuracy")
WAYS = ("mean", "median", "pooled")
NOTHING = ForegroundCounts(tn=8)
COUNTS = [
    NOTHING,
    ForegroundCounts(fp=3, tn=5),
    ForegroundCounts(fn=2, tn=6),
    ForegroundCounts(tp=4, fp=1, fn=1, tn=2),
    ForegroundCounts(tp=60, fp=9, fn=4, tn=7),
]
CURVES = [
    [ObjectCounts(tp=3, fn=1, iou_sum=2.5), ObjectCounts(tp=1, fp=2, fn=3, iou_sum=0.9)],
    [ObjectCounts(fp=2), ObjectCounts(fp=2)],
    [ObjectCounts(), ObjectCounts()],
    [ObjectCounts(tp=8, iou_sum=7), ObjectCounts(tp=6, fp=2, fn=2, iou_sum=5.6)],
]
RATIOS = [
    PooledRatio(1.5, 3, claimed=2),
    PooledRatio(0, 0, claimed=1),
    PooledRatio(0, 0),
    PooledRatio(7.2, 8, claimed=8),
]


def drawn(images, score, over):
    """The scores of many draws, each computed from the drawn images themselves."""
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(images), (4000, len(images)))
    return [float(over_images([images[index] for index in row], score, over)) for row in picks]


@pytest.mark.parametrize("over", WAYS)
@pytest.mark.parametrize("name", SCORES)
def test_the_interval_is_that_of_a_plain_loop(name, over):
    interval = bootstrap_interval(COUNTS, name, over=over, confidence=0.8, resamples=4000)
    expected = np.percentile(drawn(COUNTS, ForegroundCounts.score_named(name), over), [10, 90])
    assert interval == pytest.approx(tuple(expected), abs=0.02)


@pytest.mark.parametrize("over", WAYS)
@pytest.mark.parametrize(
    ("images", "score"),
    [
        (CURVES, lambda counts: counts.f1.mean(axis=-1)),
        (CURVES, lambda counts: counts.panoptic_quality[..., 1]),
        (RATIOS, lambda counts: counts.score),
    ],
    ids=["the mean over thresholds", "one threshold", "a pooled ratio"],
)
def test_any_score_of_any_counts(images, score, over):
    # The median of a few images jumps.
    allowed = 0.35 if over == "median" else 0.03
    interval = bootstrap_interval(images, score, over=over, confidence=0.8, resamples=4000)
    assert interval == pytest.approx(tuple(np.percentile(drawn(images, score, over), [10, 90])), abs=allowed)


def test_the_interval_of_two_images_can_be_counted_by_hand():
    # Of all draws, 1/4 have only the first image, 1/2 both, 1/4 only the second: a mean Dice of 1, 0.5 or 0.
    counts = [ForegroundCounts(tp=9), ForegroundCounts(fp=1)]
    assert bootstrap_interval(counts, "dice") == (0, 1)
    assert bootstrap_interval(counts, "dice", confidence=0.4) == (0.5, 0.5)
    # Both images pooled score 2 * 9 / (2 * 9 + 1).
    assert bootstrap_interval(counts, "dice", over="pooled", confidence=0.4) == pytest.approx((18 / 19, 18 / 19))


@pytest.mark.parametrize("over", WAYS)
def test_images_in_which_nothing_is_and_nothing_is_claimed_score_1(over):
    assert bootstrap_interval([NOTHING, NOTHING], "iou", over=over) == (1, 1)


def test_images_in_which_nothing_is_but_something_is_claimed_score_0():
    assert bootstrap_interval([COUNTS[1], COUNTS[1]], "dice") == (0, 0)


def test_the_same_seed_gives_the_same_interval():
    first, second, other = (bootstrap_interval(COUNTS, "dice", resamples=50, seed=seed) for seed in (0, 0, 1))
    assert first == second
    assert first != other


def test_drawing_in_batches_gives_the_same_interval(monkeypatch: pytest.MonkeyPatch):
    whole = [bootstrap_interval(COUNTS, "dice", over=over, resamples=30) for over in WAYS]
    monkeypatch.setattr("cellseg_monai.scores.bootstrap._DRAWN_TOGETHER", 4 * len(COUNTS))
    assert [bootstrap_interval(COUNTS, "dice", over=over, resamples=30) for over in WAYS] == whole


def test_a_single_image_has_no_interval_and_a_warning_is_logged(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert all(math.isnan(end) for end in bootstrap_interval([COUNTS[3]], "dice"))
    assert "one image" in caplog.text


@settings(max_examples=20)
@given(
    st.lists(st.tuples(*[st.integers(0, 50)] * 4), min_size=2, max_size=6),
    st.sampled_from(SCORES),
    st.sampled_from(WAYS),
)
def test_the_interval_lies_within_the_scores_of_the_images(rows, name, over):
    counts = [ForegroundCounts(*row) for row in rows]
    low, high = bootstrap_interval(counts, name, over=over, resamples=40)
    assert 0 <= low <= high <= 1
    if over != "pooled":
        own = [getattr(count, name) for count in counts]
        assert min(own) - 1e-9 <= low <= high <= max(own) + 1e-9


@pytest.mark.parametrize(
    ("counts", "name", "message"),
    [
        ([], "dice", "got no images"),
        (COUNTS, "f1", "got score 'f1'"),
        (CURVES, "f1", r"got a score of shape \(4, 2\) for 4 images"),
    ],
    ids=["no images", "no such score", "several numbers per image"],
)
def test_it_refuses(counts, name, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(counts, name)
