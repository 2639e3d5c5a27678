"""The distance to the background, compared with scipy's."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.decoding import distance_transform as module
from cellseg_monai.decoding import packing
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.distance_transform import distance_to_background
from cellseg_monai.decoding.packing import pack_components


def distances_of(mask):
    distances = np.zeros(mask.shape, np.float32)
    for batch in pack_components(ComponentRuns.from_mask(mask), deepest=module.MAX_DISTANCE_PX):
        values = distance_to_background(batch)
        assert values.dtype == np.float32
        assert not values[batch.numbers == 0].any()
        batch.scatter(values, distances)
    return distances


@settings(max_examples=80)
@given(
    st.integers(0, 2**32),
    st.floats(0.3, 0.99),
    st.integers(1, 9),
    st.sampled_from([1, 3, 127]),
    st.sampled_from([1, 600, 2**16]),
    st.sampled_from([1, 200, 10**6]),
    st.sampled_from([1, 20, 10**6]),
)
@example(0, 0.9995, 60, 127, 2**16, 10**6, 10**6)
def test_distances_are_those_of_the_whole_image(seed, share, scale, deepest, block_pixels, batch_pixels, alone_pixels):
    mask = ndimage.zoom(np.random.default_rng(seed).random((7, 11)) < share, scale, order=0)
    mask[0, 0] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_DISTANCE_PX", deepest)
        patch.setattr(module, "_BLOCK_PIXELS", block_pixels)
        patch.setattr(packing, "_BATCH_PIXELS", batch_pixels)
        patch.setattr(packing, "_ALONE_PIXELS", alone_pixels)
        distances = distances_of(mask)
    assert np.array_equal(distances, ndimage.distance_transform_edt(mask).astype(np.float32))


@pytest.mark.parametrize("deep", [126, 127, 128, 129, 400])
@pytest.mark.parametrize("across", [False, True], ids=["down", "across"])
def test_components_as_deep_as_16_bits_hold_and_deeper(deep, across):
    mask = np.ones((deep + 1, 3), bool)
    mask[0] = False
    expected = np.repeat(np.arange(deep + 1.0), 3).reshape(mask.shape)
    distances = distances_of(mask.T).T if across else distances_of(mask)
    assert np.array_equal(distances, expected)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (4, 5)], ids=str)
def test_without_background_the_distance_is_1(shape):
    assert distances_of(np.ones(shape, bool)).tolist() == np.ones(shape).tolist()
    assert distances_of(np.zeros(shape, bool)).tolist() == np.zeros(shape).tolist()
