"""Scores of classes, by hand and against scikit-learn's definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.scores import ClassCounts, bootstrap_interval, cell_class_counts, image_class_counts, over_images


def test_classes_of_found_cells_are_counted() -> None:
    # Cells 1 and 2 are found, 3 is missed, and 9 is invented; the class of 2 is unknown.
    truth = np.array([[[1, 1, 2, 2, 3, 0]], [[0, 0, -1, -1, 1, -1]]])
    found = np.array([[[5, 5, 6, 6, 0, 9]], [[2, 2, 0, 0, -1, 1]]])
    expected = np.zeros((3, 3), int)
    expected[0, 2] = 1
    assert cell_class_counts(found, truth, 3).confusion.tolist() == expected.tolist()


def test_a_cell_must_be_found_at_the_threshold() -> None:
    truth = np.array([[[1, 1, 1, 1]], [[0, 0, 0, 0]]])
    found = np.array([[[5, 5, 0, 0]], [[0, 0, -1, -1]]])
    assert cell_class_counts(found, truth, 2).confusion.sum() == 1
    assert cell_class_counts(found, truth, 2, iou=0.6).confusion.sum() == 0


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected two equal shapes \(2, Y, X\)"):
        cell_class_counts(np.zeros((2, 3, 3), int), np.zeros((1, 3, 3), int), 2)


def test_without_anything_known_every_score_is_one() -> None:
    counts = image_class_counts(0, -1, 2)
    assert (counts.balanced_accuracy, counts.accuracy) == (1, 1)
    assert np.isnan(counts.recalls).all()


def test_a_rare_class_weighs_as_much_as_a_frequent_one() -> None:
    counts = ClassCounts(np.array([[98, 0], [2, 0]]))
    assert (counts.accuracy, counts.balanced_accuracy) == (0.98, 0.5)
    assert counts.precisions.tolist()[0] == 0.98
    assert np.isnan(counts.precisions[1])


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_pooled_counts_are_those_of_one_large_image(pairs) -> None:
    images = [image_class_counts(predicted, true, 3) for true, predicted in pairs]
    pooled = float(over_images(images, "balanced_accuracy", "pooled"))
    known = [(true, predicted) for true, predicted in pairs if true >= 0]
    recalls = [
        np.mean([predicted == true for true, predicted in known if true == name])
        for name in {true for true, _ in known}
    ]
    assert pooled == pytest.approx(np.mean(recalls) if recalls else 1)
    assert sum(images[1:], images[0]).balanced_accuracy == pytest.approx(pooled)


def test_an_interval_over_images_contains_the_score() -> None:
    rng = np.random.default_rng(0)
    images = [ClassCounts(rng.integers(0, 9, (2, 2)) + 20 * np.eye(2, dtype=int)) for _ in range(20)]
    low, high = bootstrap_interval(images, "balanced_accuracy", over="pooled")
    assert low < over_images(images, "balanced_accuracy", "pooled") < high
    assert high - low < 0.1
