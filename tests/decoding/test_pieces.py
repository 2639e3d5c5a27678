"""Connected pieces of a mask, as runs and as pixels, and laid out on canvases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.decoding import canvas as canvas_module
from cellseg_monai.decoding import pieces as module
from cellseg_monai.decoding.canvas import canvases
from cellseg_monai.decoding.pieces import Pieces


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0, 1), st.sampled_from([0, 10**9]), st.booleans())
def test_pieces_are_numbered_as_scipy_does_whichever_way_they_are_found(seed, share, pixels_a_run, coarse):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(0, 14, 2)) < share
    if coarse:
        mask = mask.repeat(3, axis=0).repeat(3, axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIXELS_A_RUN", pixels_a_run)
        pieces = Pieces.of(mask)
    numbers, count = ndimage.label(mask)
    assert pieces.count == count
    assert np.array_equal(pieces.dense, numbers)
    around = ndimage.find_objects(numbers) if mask.size else []
    assert pieces.boxes.tolist() == [[y.start, x.start, y.stop, x.stop] for y, x in around]
    at = np.flatnonzero(mask)
    assert np.array_equal(pieces.number_at(at), numbers.ravel()[at])


def test_pieces_at_the_border_and_values_painted():
    pieces = Pieces.of(np.array([[0, 0, 0, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool))
    assert pieces.at_border.tolist() == [False, True]
    assert pieces.painted(np.array([0.5, 2.0, 3.0])).tolist() == [[0] * 5, [0, 2, 0, 3, 3], [0] * 5]


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
    pieces = Pieces.of(rng.random((9, 14)) < share)
    wanted = rng.random(pieces.count + 1) < 0.5
    values = rng.random(pieces.shape)
    seen = np.zeros(pieces.shape, int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas_module, "_CANVAS_PIXELS", pixels)
        patch.setattr(canvas_module, "_ALONE_PIXELS", alone_pixels)
        for canvas in canvases(pieces, wanted, deepest=deepest):
            inside = canvas.numbers > 0
            laid_out, back = canvas.of(values, elsewhere=-1), np.zeros(pieces.shape)
            assert np.array_equal(laid_out == -1, ~inside)
            canvas.write(laid_out, back)
            there = np.zeros(pieces.shape, np.int32)
            canvas.write(canvas.numbers, there)
            assert np.array_equal(back, np.where(there > 0, values, 0))
            seen += there
            present = np.unique(canvas.numbers[inside])
            assert len(present) == 1 or inside.size <= 3 * pixels
            for number in present:  # nothing of another within two pixels
                near = ndimage.binary_dilation(canvas.numbers == number, np.ones((5, 5)))
                assert np.all(np.isin(canvas.numbers[near], [0, number]))
            assert canvas.beyond is None or not (canvas.beyond & inside).any()
    wanted[0] = True
    assert np.array_equal(seen, np.where(wanted[pieces.dense], pieces.dense, 0))
