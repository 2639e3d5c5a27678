import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.formats.block_cache import BlockCache
from cellseg_monai.formats.lazy_arrays import BlockArray, MappedArray, StackedArray


@st.composite
def shapes_blocks_and_windows(draw):
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    blocks = [draw(st.integers(1, n)) for n in shape]
    ends = [sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in shape]
    return tuple(shape), tuple(blocks), tuple(slice(*pair) for pair in ends)


def in_blocks(array, block_shape, cache=None, decoded=None):
    def decode(place):
        if decoded is not None:
            decoded.append(place)
        return array[tuple(slice(i * n, (i + 1) * n) for i, n in zip(place, block_shape, strict=True))]

    return BlockArray(array.shape, array.dtype, block_shape, decode, cache or BlockCache(), "key")


@given(shapes_blocks_and_windows())
def test_a_window_equals_that_of_the_array(drawn):
    shape, block_shape, window = drawn
    array, decoded = np.arange(np.prod(shape)).reshape(shape), []
    values = in_blocks(array, block_shape, decoded=decoded)[window]
    np.testing.assert_array_equal(values, array[window])
    touched = np.prod(
        [len({at // n for at in range(w.start, w.stop)}) for w, n in zip(window, block_shape, strict=True)]
    )
    assert len(decoded) == touched


@given(shapes_blocks_and_windows(), st.sampled_from("CF"))
def test_a_mapped_array_equals_the_one_in_the_file(tmp_path_factory, drawn, order):
    shape, _, window = drawn
    array = np.arange(np.prod(shape), dtype=">i4").reshape(shape)
    file = tmp_path_factory.mktemp("mapped") / "array"
    file.write_bytes(b"head" + array.tobytes(order))
    values = MappedArray(file, array.dtype, shape, 4, order)[window]
    np.testing.assert_array_equal(values, array[window])


def test_a_stack_of_no_axes_is_the_array_itself():
    array = np.arange(12).reshape(3, 4)
    stack = StackedArray((), lambda number: array)
    np.testing.assert_array_equal(stack[1:2, 0:3], array[1:2, 0:3])


class TestCache:
    def test_overlapping_windows_share_blocks(self):
        decoded = []
        blocks = in_blocks(np.zeros((8, 8)), (4, 4), decoded=decoded)
        for x in range(4):
            assert blocks[0:5, x : x + 4].shape == (5, 4)
        assert sorted(decoded) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    def test_it_keeps_within_its_limit_but_always_keeps_the_last_block(self):
        decoded = []
        blocks = in_blocks(np.zeros((8, 8)), (4, 8), BlockCache(max_bytes=1), decoded)
        for y in (0, 1, 2, 4, 5, 0):
            assert blocks[y : y + 1, 0:8].size == 8
        assert decoded == [(0, 0), (1, 0), (0, 0)]

    def test_an_error_is_not_cached(self):
        cache = BlockCache()
        with pytest.raises(OSError, match="once"):
            cache.get("a", lambda: (_ for _ in ()).throw(OSError("once")))
        assert cache.get("a", lambda: np.ones(1)) == 1

    def test_a_block_that_two_threads_want_is_decoded_once(self):
        cache, first, second, go = BlockCache(), threading.Event(), threading.Event(), threading.Event()

        def decode(begun):
            begun.set()
            assert go.wait(20)
            return np.zeros(1)

        threads = [threading.Thread(target=cache.get, args=("a", partial(decode, begun))) for begun in (first, second)]
        threads[0].start()
        assert first.wait(20)
        threads[1].start()
        assert not second.wait(0.3)
        go.set()
        for thread in threads:
            thread.join()
        assert not second.is_set()

    def test_threads_that_wait_for_a_block_see_its_error_too(self):
        cache, go, failures = BlockCache(), threading.Event(), []

        def decode():
            assert go.wait(20)
            raise OSError("broken")

        def ask():
            with pytest.raises(OSError, match="broken"):
                cache.get("a", decode)
            failures.append(True)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        go.set()
        for thread in threads:
            thread.join()
        assert len(failures) == 3

    def test_threads_decode_different_blocks_at_the_same_time(self):
        cache, both = BlockCache(), threading.Barrier(2, timeout=20)

        def decode():
            both.wait()
            return np.zeros(1)

        threads = [threading.Thread(target=cache.get, args=(name, decode)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not both.broken
