"""Classes of objects, worked out by hand, and their colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.labels import UNKNOWN, class_colours, class_image, classes_of_pixels, no_classes
from tests.label_images import label_images

LABELS = np.array([[0, 5, 5, 0], [9, 9, 5, 2]])


def test_pixels_have_the_class_of_their_object() -> None:
    assert class_image(LABELS, np.array([[9, 0], [5, 2], [77, 1]])).tolist() == [[-1, 2, 2, -1], [0, 0, 2, -1]]
    assert (class_image(LABELS, no_classes()) == UNKNOWN).all()
    # Not even a list that names the background gives it a class.
    assert class_image(LABELS, np.array([[0, 1]])).max() == UNKNOWN


def test_an_object_has_the_only_known_class_of_its_pixels() -> None:
    pixels = np.array([[1, 0, -1, 1], [2, 1, 0, -1]])
    classes, mixed = classes_of_pixels(LABELS, pixels)
    assert classes.tolist() == [[5, 0]]
    assert mixed.tolist() == [9]


@given(label_images(), st.randoms(use_true_random=False))
def test_an_image_of_classes_gives_the_list_that_it_was_made_from(labels, random) -> None:
    ids = np.unique(labels[labels > 0]).astype(np.int64)
    known = [[int(number), random.randrange(5)] for number in ids if random.random() < 0.7]
    listed = np.array(known, np.int64).reshape(-1, 2)
    classes, mixed = classes_of_pixels(labels.astype(np.int64), class_image(labels.astype(np.int64), listed))
    assert classes.tolist() == listed.tolist()
    assert len(mixed) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 8, 40])
def test_every_class_has_a_colour_of_its_own(count) -> None:
    colours = class_colours(count)
    assert len(set(colours)) == count
    assert colours == class_colours(50)[:count]
    assert all(0 <= part <= 255 for colour in colours for part in colour)
