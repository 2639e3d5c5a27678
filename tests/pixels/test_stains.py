"""Colours of stained tissue."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import color

from cellseg_monai.pixels import restained, turned_hue

pictures = hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(0, 1, width=32))


@given(pictures)
def test_the_same_amounts_of_stain_and_the_same_hue_change_nothing(picture):
    np.testing.assert_allclose(restained(picture, (1, 1, 1)), picture, atol=1e-5)
    np.testing.assert_allclose(turned_hue(picture, 0.0), picture, atol=1e-6)


@given(pictures, st.floats(-4, 4), st.floats(0, 2))
def test_colours_stay_in_range_and_grey_stays_grey(picture, angle, saturation):
    turned = turned_hue(picture, angle, saturation)
    assert 0 <= turned.min() <= turned.max() <= 1
    grey = np.broadcast_to(picture[:1], picture.shape)
    np.testing.assert_allclose(turned_hue(grey, angle, saturation), grey, atol=1e-6)


def test_without_haematoxylin_the_nuclei_vanish_but_eosin_stays():
    # Concentrations of haematoxylin, eosin and DAB, turned into colours by another program.
    stains = np.zeros((1, 2, 3))
    stains[0, 0, 0], stains[0, 1, 1] = 0.1, 0.1
    dark = 1 - color.hed2rgb(stains).transpose(2, 0, 1)
    without = restained(dark, (0, 1, 1))
    assert without[:, 0, 0].max() < 0.1 * dark[:, 0, 0].max()
    assert without[1, 0, 1] > 0.9 * dark[1, 0, 1]


def test_a_third_of_a_turn_moves_red_to_green_to_blue():
    red = np.array([0.7, 0.1, 0.2]).reshape(3, 1, 1)
    np.testing.assert_allclose(turned_hue(red, 2 * math.pi / 3).ravel(), [0.2, 0.7, 0.1], atol=1e-6)
    np.testing.assert_allclose(turned_hue(red, 1.0, 0.0).ravel(), [1 / 3] * 3, atol=1e-6)
