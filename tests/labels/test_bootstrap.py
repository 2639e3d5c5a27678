import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.labels import ForegroundCounts, mean_score, pooled_score
from cellseg_monai.labels.bootstrap import _scores, bootstrap_interval

SCORES = ("dice", "iou", "precision", "recall", "accuracy")
NOTHING = ForegroundCounts(tn=8)
COUNTS = [
    NOTHING,
    ForegroundCounts(fp=3, tn=5),
    ForegroundCounts(fn=2, tn=6),
    ForegroundCounts(tp=4, fp=1, fn=1, tn=2),
    ForegroundCounts(tp=60, fp=9, fn=4, tn=7),
]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=6))
def test_scores_of_many_images_at_once_are_those_of_each(rows):
    tp, fp, fn, tn = np.array(rows).T
    for name in SCORES:
        expected = [getattr(ForegroundCounts(*row), name) for row in rows]
        assert _scores(name, tp, fp, fn, tn) == pytest.approx(expected)


@pytest.mark.parametrize("pooled", [False, True], ids=["mean of images", "pooled"])
@pytest.mark.parametrize("name", SCORES)
def test_it_is_what_a_plain_loop_finds(name, pooled):
    score, rng = pooled_score if pooled else mean_score, np.random.default_rng(1)
    drawn = [score([COUNTS[index] for index in rng.integers(0, 5, 5)], name) for _ in range(4000)]
    interval = bootstrap_interval(COUNTS, name, pooled=pooled, confidence=0.8, resamples=4000)
    assert interval == pytest.approx(tuple(np.percentile(drawn, [10, 90])), abs=0.02)


def test_two_images_give_what_can_be_counted_by_hand():
    # Drawn twice: the first alone 1/4, both 1/2, the second alone 1/4. A mean Dice of 1, 0.5 or 0.
    counts = [ForegroundCounts(tp=9), ForegroundCounts(fp=1)]
    assert bootstrap_interval(counts, "dice") == (0, 1)
    assert bootstrap_interval(counts, "dice", confidence=0.4) == (0.5, 0.5)
    # Pooled, both together are 2 * 9 / (2 * 9 + 1).
    assert bootstrap_interval(counts, "dice", pooled=True, confidence=0.4) == pytest.approx((18 / 19, 18 / 19))


@pytest.mark.parametrize("pooled", [False, True], ids=["mean of images", "pooled"])
def test_images_with_nothing_there_and_nothing_claimed_score_1(pooled):
    assert bootstrap_interval([NOTHING, NOTHING], "iou", pooled=pooled) == (1, 1)


def test_images_with_nothing_there_but_something_claimed_score_0():
    assert bootstrap_interval([COUNTS[1], COUNTS[1]], "dice") == (0, 0)


def test_the_same_seed_gives_the_same_interval():
    first, second, other = (bootstrap_interval(COUNTS, "dice", resamples=50, seed=seed) for seed in (0, 0, 1))
    assert first == second
    assert first != other


def test_a_single_image_has_no_interval_and_that_is_said(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert all(math.isnan(end) for end in bootstrap_interval([COUNTS[3]], "dice"))
    assert "one image" in caplog.text


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 50)] * 4), min_size=2, max_size=6), st.sampled_from(SCORES), st.booleans())
def test_it_lies_within_the_scores_of_the_single_images(rows, name, pooled):
    counts = [ForegroundCounts(*row) for row in rows]
    low, high = bootstrap_interval(counts, name, pooled=pooled, resamples=40)
    assert 0 <= low <= high <= 1
    if not pooled:
        each = [getattr(count, name) for count in counts]
        assert min(each) - 1e-9 <= low <= high <= max(each) + 1e-9


@pytest.mark.parametrize(
    ("counts", "name", "message"),
    [([], "dice", "no images came"), (COUNTS, "f1", "'f1' came")],
    ids=["no images", "no such score"],
)
def test_it_refuses(counts, name, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(counts, name)
