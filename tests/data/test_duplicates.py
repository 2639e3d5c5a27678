"""Equal pixels have equal hashes, whatever their type."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from cellseg_monai.data.duplicates import digest


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint64", "float16", "float32", "float64"])
def test_whole_numbers_have_the_same_hash_in_every_type(dtype):
    pixels = np.arange(48, dtype=np.uint8).reshape(1, 6, 8)
    assert digest(pixels.astype(dtype)) == digest(pixels)
    assert digest(pixels.astype(dtype).astype(np.dtype(dtype).newbyteorder(">"))) == digest(pixels)


def test_fractions_have_the_same_hash_in_every_float_type_and_another_than_whole_numbers():
    halves = np.arange(48).reshape(1, 6, 8) / 2
    assert digest(halves.astype(np.float32)) == digest(halves)
    assert digest(halves) != digest(np.floor(halves))
    odd = np.array([[[np.nan, np.inf, 1e30, -np.inf]]])
    assert digest(odd.astype(np.float32)) != digest(np.zeros_like(odd))


def test_a_large_image_is_hashed_in_bounded_memory():
    pixels: np.ndarray = np.zeros((4, 2048, 2048), np.uint8)
    tracemalloc.start()
    try:
        digest(pixels)
        assert tracemalloc.get_traced_memory()[1] < 4 * pixels.nbytes
    finally:
        tracemalloc.stop()
