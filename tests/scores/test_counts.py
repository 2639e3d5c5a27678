"""Counts of one image and of many images together: the same numbers, the same conventions for empty images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.scores import ForegroundCounts, ObjectCounts, PooledRatio, bootstrap_interval, over_images, stacked
from cellseg_monai.scores.counts import ratio, weighted

KINDS = (ForegroundCounts, ObjectCounts, PooledRatio)
FIELDS = {ForegroundCounts: 4, ObjectCounts: 4, PooledRatio: 3}


@st.composite
def images_of_a_kind(draw: st.DrawFn) -> list:
    kind = draw(st.sampled_from(KINDS))
    rows = draw(st.lists(st.tuples(*[st.integers(0, 3)] * FIELDS[kind]), min_size=1, max_size=6))
    return [kind(*row) for row in rows]


@given(images_of_a_kind())
def test_scores_of_stacked_images_are_those_of_each_image(images):
    for name in type(images[0]).scores:
        assert getattr(stacked(images), name).tolist() == [getattr(image, name) for image in images]


@given(images_of_a_kind(), st.integers(1, 3))
def test_pooling_stacked_images_adds_them_up(images, repeats):
    kind = type(images[0])
    times = np.array([[repeats] * len(images), [1] + [0] * (len(images) - 1)])
    for name in kind.scores:
        score = kind.score_named(name)
        assert over_images(images, name, "pooled") == pytest.approx(score(sum(images, kind())))
        drawn = weighted(stacked(images), times)
        assert score(drawn) == pytest.approx([score(sum(images * repeats, kind())), score(images[0])])


def test_curves_keep_their_thresholds_along_the_last_axis():
    curves = [[ObjectCounts(tp=2), ObjectCounts(tp=1, fn=1)], [ObjectCounts(), ObjectCounts(fp=1)]]
    assert stacked(curves).recall.tolist() == [[1, 0.5], [1, 0]]
    assert over_images(curves, "recall", "pooled").tolist() == [1, 0.5]
    assert over_images(curves, "recall", "mean").tolist() == [1, 0.25]


def test_counts_that_are_stacked_already_and_functions_give_the_same_score():
    images = [ObjectCounts(tp=2), ObjectCounts(fn=1), ObjectCounts(tp=1, fn=3)]
    for over in ("mean", "median", "pooled"):
        expected = over_images(images, "recall", over)
        assert over_images(stacked(images), lambda counts: counts.recall, over) == expected


def test_any_other_way_to_combine_images_is_refused():
    with pytest.raises(ValueError, match="got over='sum', expected one of mean, median, pooled"):
        over_images([ObjectCounts()], "f1", "sum")
    with pytest.raises(ValueError, match="got over='sum'"):
        bootstrap_interval([ObjectCounts()] * 2, "f1", over="sum")


def test_a_ratio_of_numbers_is_a_float_and_of_arrays_an_array():
    assert type(ratio(1, 2, False)) is float
    assert ratio(0, 0, True) == 1
    assert ratio(np.array([[1, 0]]), np.array([[2, 0]]), np.array([[False, False]])).tolist() == [[0.5, 0]]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "got no images"),
        ([[ObjectCounts()], []], r"2 images with \[0, 1\] thresholds"),
        ([[], []], r"2 images with \[0\] thresholds"),
    ],
    ids=["no images", "other thresholds", "no thresholds"],
)
def test_what_cannot_be_stacked_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        stacked(images)


def test_a_score_that_counts_do_not_have_is_refused_with_those_they_have():
    with pytest.raises(ValueError, match="got score 'dice', expected one of f1, precision"):
        ObjectCounts.score_named("dice")
