"""Covering an axis with overlapping tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.pixels import cover_axis


def total_weights(tiles):
    """Return the sum of the weights of every pixel of the axis over all tiles."""
    total = np.zeros(tiles.starts[-1] + tiles.size)
    for index, start in enumerate(tiles.starts):
        total[start : start + tiles.size] += tiles.weights(index)
    return total


def test_two_tiles_fade_into_each_other_in_the_middle_half_of_their_overlap():
    tiles = cover_axis(24, size=16, overlap=8, multiple=8)
    assert tiles.starts == (0, 8)
    assert tiles.weights(0).tolist() == [1] * 10 + [0.875, 0.625, 0.375, 0.125, 0, 0]
    assert tiles.weights(1).tolist() == [0, 0, 0.125, 0.375, 0.625, 0.875] + [1] * 10


@pytest.mark.parametrize(("length", "size"), [(1, 64), (64, 64), (65, 96)])
def test_a_small_image_is_covered_by_one_tile_of_whole_strides(length, size):
    tiles = cover_axis(length, size=1024, overlap=64, multiple=32)
    assert (tiles.starts, tiles.size) == ((0,), 32 * -(-length // 32))
    assert (tiles.weights(0) == 1).all()


@given(
    length=st.integers(1, 3000),
    size=st.integers(1, 400),
    share=st.floats(0, 0.5),
    multiple=st.integers(1, 40),
)
def test_weights_add_up_to_1_and_tiles_start_at_multiples(length, size, share, multiple):
    overlap = int(share * size)
    tiles = cover_axis(length, size=size, overlap=overlap, multiple=multiple)
    total = total_weights(tiles)
    assert len(total) >= length
    np.testing.assert_allclose(total, 1, atol=1e-5)
    assert tiles.size % multiple == 0
    assert all(start % multiple == 0 for start in tiles.starts)
    assert all(tiles.weights(index).min() > -1e-6 for index in range(len(tiles.starts)))
    steps = np.diff(tiles.starts)
    assert ((steps > 0) & (steps <= tiles.size - overlap)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 64, "overlap": 40, "multiple": 32}, "expected at most half a tile"),
        ({"size": 0, "overlap": 0, "multiple": 32}, "expected positive numbers and a non-negative overlap"),
        ({"size": 64, "overlap": -1, "multiple": 32}, "expected positive numbers and a non-negative overlap"),
    ],
    ids=["overlap of more than half", "empty tiles", "negative overlap"],
)
def test_impossible_tiles_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cover_axis(1000, **arguments)
