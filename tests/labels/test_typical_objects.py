"""The typical diameter of objects, and whether they are dark."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cellseg_monai.labels import objects_are_dark, typical_diameter_px


def squares(*sides: int, margin: int = 2) -> np.ndarray:
    """Return a label image with squares of the given sides in a row, away from the border."""
    labels = np.zeros((max(sides) + 2 * margin, sum(sides) + margin * (len(sides) + 1)), np.int32)
    left = margin
    for number, side in enumerate(sides, start=1):
        labels[margin : margin + side, left : left + side] = 10 * number
        left += side + margin
    return labels


def disc_of(area: float) -> float:
    return math.sqrt(4 * area / math.pi)


def test_the_diameter_is_the_median_of_the_objects():
    assert typical_diameter_px(squares(6, 10, 20)) == pytest.approx(disc_of(100))


def test_debris_does_not_count_beside_enough_objects():
    assert typical_diameter_px(squares(2, 3, 4, 10, 11, 12)) == pytest.approx(disc_of(121))
    assert typical_diameter_px(squares(2, 4, 4)) == pytest.approx(disc_of(16))


def test_objects_that_the_border_cuts_do_not_count_beside_enough_whole_ones():
    labels = squares(10, 10, 10)
    labels[0, :] = 7  # a sliver of 38 pixels
    labels[-1, :] = 8
    assert typical_diameter_px(labels) == pytest.approx(disc_of(100))
    assert typical_diameter_px(np.ones((10, 10), int)) == pytest.approx(disc_of(100))


def test_an_image_without_objects_has_no_diameter():
    assert math.isnan(typical_diameter_px(np.zeros((5, 5), np.uint16)))
    assert not objects_are_dark(np.zeros((5, 5)), np.zeros((5, 5), int))


def test_dark_objects_are_recognised_in_uneven_light():
    labels = squares(8, 8, 8, 8, 8)
    light = np.linspace(100, 1000, labels.shape[1])[np.newaxis] * np.ones((len(labels), 1))
    assert objects_are_dark(np.where(labels, 0.7 * light, light), labels)
    assert not objects_are_dark(np.where(labels, 1.3 * light, light), labels)
