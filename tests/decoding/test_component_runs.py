"""Connected components of a mask as runs and as pixels, and packed side by side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.decoding import component_runs as module
from cellseg_monai.decoding import packing
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.packing import pack_components


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0, 1), st.sampled_from([0, 10**9]), st.booleans())
def test_components_are_numbered_like_those_of_scipy_however_they_are_found(seed, share, pixels_per_run, coarse):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(0, 14, 2)) < share
    if coarse:
        mask = mask.repeat(3, axis=0).repeat(3, axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIXELS_PER_RUN", pixels_per_run)
        components = ComponentRuns.from_mask(mask)
    numbers, count = ndimage.label(mask)
    assert components.count == count
    assert np.array_equal(components.label_image, numbers)
    boxes = ndimage.find_objects(numbers) if mask.size else []
    assert components.boxes.tolist() == [[y.start, x.start, y.stop, x.stop] for y, x in boxes]
    pixels = np.flatnonzero(mask)
    assert np.array_equal(components.numbers_at(pixels), numbers.ravel()[pixels])


def test_border_contact_and_painted_values():
    components = ComponentRuns.from_mask(np.array([[0, 0, 0, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool))
    assert components.touches_border.tolist() == [False, True]
    assert components.paint(np.array([0.5, 2.0, 3.0])).tolist() == [[0] * 5, [0, 2, 0, 3, 3], [0] * 5]


@settings(max_examples=80)
@given(
    st.integers(0, 2**32),
    st.floats(0.2, 0.8),
    st.sampled_from([1, 30, 10**6]),
    st.sampled_from([1, 10, 10**6]),
    st.sampled_from([None, 2, 100]),
)
def test_every_wanted_component_is_packed_once_away_from_others_and_comes_back(
    seed, share, pixels, alone_pixels, deepest
):
    rng = np.random.default_rng(seed)
    components = ComponentRuns.from_mask(rng.random((9, 14)) < share)
    wanted = rng.random(components.count + 1) < 0.5
    values = rng.random(components.shape)
    seen = np.zeros(components.shape, int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_BATCH_PIXELS", pixels)
        patch.setattr(packing, "_ALONE_PIXELS", alone_pixels)
        for batch in pack_components(components, wanted, deepest=deepest):
            inside = batch.numbers > 0
            packed, back = batch.gather(values, background=-1), np.zeros(components.shape)
            assert np.array_equal(packed == -1, ~inside)
            batch.scatter(packed, back)
            numbers = np.zeros(components.shape, np.int32)
            batch.scatter(batch.numbers, numbers)
            assert np.array_equal(back, np.where(numbers > 0, values, 0))
            seen += numbers
            present = np.unique(batch.numbers[inside])
            assert len(present) == 1 or inside.size <= 3 * pixels
            for number in present:  # no other component within two pixels
                near = ndimage.binary_dilation(batch.numbers == number, np.ones((5, 5)))
                assert np.all(np.isin(batch.numbers[near], [0, number]))
            assert batch.outside_image is None or not (batch.outside_image & inside).any()
    wanted[0] = True
    assert np.array_equal(seen, np.where(wanted[components.label_image], components.label_image, 0))
