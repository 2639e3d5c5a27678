import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.pixels import brightest_channel_of_one_hue

LIGHT = np.where(np.arange(100) < 80, 3.0, np.arange(100) * 2.0)  # a field with a dark background


@given(st.integers(0, 2), st.lists(st.floats(0, 0.95), min_size=2, max_size=2))
def test_light_in_any_colour_is_found_in_the_brightest_channel(best, shares):
    weights = np.insert(np.array(shares), best, 1.0)
    colours = np.round(weights[:, None] * LIGHT).astype(np.uint8)
    assert brightest_channel_of_one_hue(colours) == best


@pytest.mark.parametrize(
    "colours",
    [
        np.stack([LIGHT, LIGHT, LIGHT]),
        np.stack([LIGHT, LIGHT[::-1], 0 * LIGHT]),
        np.stack([230 - LIGHT / 4, 200 - LIGHT, 220 - LIGHT / 2]),
        np.zeros((3, 10)),
    ],
    ids=["grey", "two stains", "dark on bright", "black"],
)
def test_grey_several_hues_and_stained_slides_have_no_such_channel(colours):
    assert brightest_channel_of_one_hue(colours) is None
