"""Pieces of the foreground, some at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.labels import pieces as module
from cellseg_monai.labels.pieces import Pieces


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.2, 0.8), st.integers(0, 2), st.sampled_from([1, 20, 10**6]))
def test_every_wanted_piece_comes_once_and_whole(seed, share, margin, box_pixels):
    rng = np.random.default_rng(seed)
    pieces = Pieces.of(rng.random((9, 14)) < share)
    wanted = rng.random(pieces.count + 1) < 0.5
    wanted[0] = True
    seen = np.zeros(pieces.numbers.shape, int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BOX_PIXELS", box_pixels)
        for box, some in pieces.boxes(wanted, margin):
            seen[box] += some.numbers
            present = np.unique(some.numbers[some.numbers > 0])
            assert len(present) == 1 or (len(present) > 1 < box_pixels)
            height, width = (np.ptp(at) + 1 for at in np.nonzero(some.numbers))
            assert height * width <= box_pixels or len(present) == 1
    assert np.array_equal(seen, np.where(wanted[pieces.numbers], pieces.numbers, 0))
