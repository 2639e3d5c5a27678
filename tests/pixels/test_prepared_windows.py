"""Windows of an image equal those of the whole image after preparation."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.pixels import (
    PreparedWindows,
    Preprocessing,
    noise_level,
    percentile_ranges,
    prepare,
    rescale,
    rescale_window,
)
from cellseg_monai.pixels.windowed_percentiles import windows_of_chunks


def windows_of(image, settings, **known):
    return PreparedWindows(lambda rows, columns: image[:, rows, columns], image.shape[1:], settings, **known)


def read_of(image):
    return lambda rows, columns: image[:, rows, columns]


def assembled(windows, step):
    height, width = windows.shape
    rows = [
        np.concatenate(
            [windows(slice(y, min(y + step, height)), slice(x, min(x + step, width))) for x in range(0, width, step)], 2
        )
        for y in range(0, height, step)
    ]
    return np.concatenate(rows, axis=1)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
@pytest.mark.parametrize("window_px", [1, 150, 10**9])
@pytest.mark.parametrize("chunk_shape", [None, (7, 9), (64, 64)], ids=str)
def test_ranges_of_integers_do_not_depend_on_the_windows(dtype, chunk_shape, window_px):
    image = np.random.default_rng(0).integers(0, 100, (2, 50, 40)).astype(dtype)
    windows = {"chunk_shape": chunk_shape, "window_px": window_px}
    [(low, high), _] = percentile_ranges(read_of(image), (50, 40), 1, 99, **windows)
    assert (low, high) == tuple(np.percentile(image[0], (1, 99)))
    floor = percentile_ranges(read_of(image), (50, 40), 1, 99, noise_floor=90, **windows)
    assert floor[1][1] == pytest.approx(floor[1][0] + 90 * noise_level(image[1]))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("window_px", [1, 999, 10**9])
@pytest.mark.parametrize("chunk_shape", [None, (7, 9)], ids=str)
def test_ranges_of_floats_and_wide_integers_equal_those_of_numpy(dtype, chunk_shape, window_px):
    values = np.random.default_rng(0).normal(0, 2000, (2, 20, 70))
    values[0, 3, 3] = 60_000  # a hot pixel
    values = np.abs(values) if "u" in dtype else values
    image = values.astype(dtype)
    ranges = percentile_ranges(read_of(image), (20, 70), 1, 99, chunk_shape=chunk_shape, window_px=window_px)
    np.testing.assert_allclose(ranges, np.percentile(image.astype(float), (1, 99), axis=(1, 2)).T, rtol=1e-12)


def test_a_hot_pixel_does_not_affect_the_ranges():
    image = np.array([[[0.25, 0.5, 0.75, 1e30]]], np.float32)
    assert percentile_ranges(read_of(image), (1, 4), 0, 50) == [(0.25, 0.625)]


def test_the_highest_value_replaces_percentiles_that_coincide():
    image = np.array([[[5, 5, 5, 5, 5, 70_000, -70_000]]], np.int32)
    assert percentile_ranges(read_of(image), (1, 7), 40, 60) == [(5, 70_000)]
    assert percentile_ranges(read_of(image[..., [0, 1, 2, 6]]), (1, 4), 40, 60) == [(5, 5)]
    assert percentile_ranges(read_of(image[:, :0]), (0, 6)) == []


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4"])
@pytest.mark.parametrize("shape", [(1, 300), (2, 300), (300, 1), (300, 2), (30, 30), (100, 200)], ids=str)
@pytest.mark.parametrize("content", ["noise", "a darker pixel", "a brighter pixel"])
def test_windows_of_degenerate_images_equal_the_whole(dtype, shape, content):
    image = np.full((1, *shape), 100.0)
    if content == "noise":
        image += np.random.default_rng(0).normal(0, 6, shape)
    else:
        image[0, 0, shape[1] // 2] += 20 if "bright" in content else -20
    image = image.astype(dtype)
    windows = windows_of(image, Preprocessing(), chunk_shape=(16, 16))
    expected = prepare(image, Preprocessing())
    np.testing.assert_allclose(assembled(windows, 64), expected, atol=1e-6)
    assert expected.mean() < 0.2


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_threads_find_the_same_ranges(dtype):
    image = np.random.default_rng(0).normal(9000, 2000, (2, 120, 90)).clip(0).astype(dtype)
    options = {"chunk_shape": (16, 16), "window_px": 256, "noise_floor": 9}
    expected = percentile_ranges(read_of(image), (120, 90), 1, 99, **options)
    with ThreadPoolExecutor(4) as threads:
        assert percentile_ranges(read_of(image), (120, 90), 1, 99, run=threads.map, **options) == expected
    backwards = percentile_ranges(
        read_of(image), (120, 90), 1, 99, run=lambda function, windows: map(function, windows[::-1]), **options
    )
    assert backwards == expected


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    chunk_shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    window_px=st.integers(1, 500),
)
def test_windows_cover_an_image_once_and_each_chunk_consecutively(shape, chunk_shape, window_px):
    seen, touching = np.zeros(shape, int), defaultdict(list)
    height, width = chunk_shape
    for number, (rows, columns) in enumerate(windows_of_chunks(shape, chunk_shape, window_px)):
        seen[rows, columns] += 1
        assert seen[rows, columns].size <= max(window_px, columns.stop - columns.start)
        for y in range(rows.start // height, (rows.stop - 1) // height + 1):
            for x in range(columns.start // width, (columns.stop - 1) // width + 1):
                touching[y, x].append(number)
    assert (seen == 1).all()
    for windows in touching.values():
        assert windows == list(range(windows[0], windows[-1] + 1))


@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    to=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    data=st.data(),
)
def test_a_window_of_a_resampled_image_equals_that_of_the_whole(shape, to, data):
    image = np.random.default_rng(0).random((1, *shape), np.float32)
    rows, columns = (
        slice(
            *sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)).filter(lambda ends: ends[0] != ends[1])))
        )
        for n in to
    )
    window = rescale_window(lambda y, x: image[:, y, x], shape, to, rows, columns)
    np.testing.assert_allclose(window, rescale(image, to)[:, rows, columns], atol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("settings", [{}, {"shorter_side_px": 41}, {"zoom": 1.4}, {"channels": [1, 0]}], ids=str)
def test_windows_make_up_the_prepared_image(dtype, settings):
    image = (np.random.default_rng(0).gamma(2, 30, (2, 70, 90)).clip(0, 250)).astype(dtype)
    image = image[:1] if "channels" not in settings else image
    preprocessing = Preprocessing(**settings)
    prepared = assembled(windows_of(image, preprocessing), 32)
    np.testing.assert_allclose(prepared, prepare(image, preprocessing), atol=1e-6)


@pytest.mark.parametrize("equal", [True, False], ids=["grey stored as colour", "colour with a grey corner"])
def test_colour_is_decided_on_the_whole_image(equal):
    image = np.repeat(np.random.default_rng(0).integers(0, 255, (1, 300, 40)), 3, axis=0).astype(np.uint8)
    if not equal:
        image[1, 290:, :] = 7
    names = ("red", "green", "blue")
    settings = Preprocessing()
    prepared = assembled(windows_of(image, settings, channel_names=names), 64)
    np.testing.assert_allclose(prepared, prepare(image, settings, channel_names=names), atol=1e-4)


@pytest.mark.parametrize("names", [(), ("DAPI", "GFP", "mCherry")], ids=["unnamed", "stains"])
def test_three_equal_stains_are_not_a_grey_image(names):
    image = np.full((3, 20, 20), 7, np.uint8)
    for read in (windows_of, prepare):
        with pytest.raises(ValueError, match="set channels to a list"):
            read(image, Preprocessing(), channel_names=names)


def test_a_window_with_nan_is_refused():
    image = np.ones((1, 10, 10), np.float32)
    image[0, 3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        windows_of(image, Preprocessing())
