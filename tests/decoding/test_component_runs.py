"""Connected pieces of a mask, as runs and as pixels, and laid out on pack_components."""

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
def test_pieces_are_numbered_as_scipy_does_whichever_way_they_are_found(seed, share, pixels_a_run, coarse):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(0, 14, 2)) < share
    if coarse:
        mask = mask.repeat(3, axis=0).repeat(3, axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIXELS_PER_RUN", pixels_a_run)
        pieces = ComponentRuns.from_mask(mask)
    numbers, count = ndimage.label(mask)
    assert pieces.count == count
    assert np.array_equal(pieces.label_image, numbers)
    around = ndimage.find_objects(numbers) if mask.size else []
    assert pieces.boxes.tolist() == [[y.start, x.start, y.stop, x.stop] for y, x in around]
    at = np.flatnonzero(mask)
    assert np.array_equal(pieces.numbers_at(at), numbers.ravel()[at])


def test_pieces_at_the_border_and_values_painted():
    pieces = ComponentRuns.from_mask(np.array([[0, 0, 0, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool))
    assert pieces.touches_border.tolist() == [False, True]
    assert pieces.paint(np.array([0.5, 2.0, 3.0])).tolist() == [[0] * 5, [0, 2, 0, 3, 3], [0] * 5]


@settings(max_examples=80)
@given(
    st.integers(0, 2**32),
    st.floats(0.2, 0.8),
    st.sampled_from([1, 30, 10**6]),
    st.sampled_from([1, 10, 10**6]),
    st.sampled_from([None, 2, 100]),
)
def test_every_wanted_piece_is_laid_out_once_alone_and_comes_back(seed, share, pixels, alone_pixels, deepest):
    rng = np.random.default_rng(seed)
    pieces = ComponentRuns.from_mask(rng.random((9, 14)) < share)
    wanted = rng.random(pieces.count + 1) < 0.5
    values = rng.random(pieces.shape)
    seen = np.zeros(pieces.shape, int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_BATCH_PIXELS", pixels)
        patch.setattr(packing, "_ALONE_PIXELS", alone_pixels)
        for canvas in pack_components(pieces, wanted, deepest=deepest):
            inside = canvas.numbers > 0
            laid_out, back = canvas.gather(values, background=-1), np.zeros(pieces.shape)
            assert np.array_equal(laid_out == -1, ~inside)
            canvas.scatter(laid_out, back)
            there = np.zeros(pieces.shape, np.int32)
            canvas.scatter(canvas.numbers, there)
            assert np.array_equal(back, np.where(there > 0, values, 0))
            seen += there
            present = np.unique(canvas.numbers[inside])
            assert len(present) == 1 or inside.size <= 3 * pixels
            for number in present:  # nothing of another within two pixels
                near = ndimage.binary_dilation(canvas.numbers == number, np.ones((5, 5)))
                assert np.all(np.isin(canvas.numbers[near], [0, number]))
            assert canvas.outside_image is None or not (canvas.outside_image & inside).any()
    wanted[0] = True
    assert np.array_equal(seen, np.where(wanted[pieces.label_image], pieces.label_image, 0))
