import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellseg_monai.pixels import noise_level, normalise_percentiles
from cellseg_monai.pixels.normalise import ChannelRange, check_finite, highest_contrast

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">f4"]


def by_definition(pixels, lower, upper):
    """Normalise in float64 with numpy.percentile."""
    out = []
    for channel in pixels.astype(np.float64):
        low, high = np.percentile(channel, [lower, upper])
        out.append(np.clip((channel - low) / (high - low), 0, 1))
    return np.array(out)


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_agree_with_the_definition_for_every_dtype(dtype):
    values = np.random.default_rng(0).integers(0, 120, (2, 37, 41))
    pixels = (values > 60).astype(dtype) if dtype == "?" else values.astype(dtype)
    out = normalise_percentiles(pixels, 1, 98.7)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, by_definition(pixels, 1, 98.7), atol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4"])
def test_the_whole_range_of_a_dtype_does_not_overflow(dtype):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo("f2")
    pixels = np.array([[[info.min, info.max]]], dtype)
    np.testing.assert_array_equal(normalise_percentiles(pixels, 0, 100), [[[0, 1]]])


def test_64_bit_values_keep_differences_that_float64_would_lose():
    pixels = np.array([[[2**63, 2**63 + 1, 2**63 + 2]]], np.uint64)
    np.testing.assert_array_equal(normalise_percentiles(pixels, 0, 100), [[[0, 0.5, 1]]])


@settings(max_examples=60)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.int64, np.float32, np.float64]),
        hnp.array_shapes(min_dims=3, max_dims=3),
    ),
    st.tuples(st.floats(0, 49), st.floats(51, 100)),
)
def test_results_are_ordered_and_between_0_and_1(pixels, percentiles):
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, nan=0, posinf=1e30, neginf=-1e30).clip(-1e30, 1e30)
    before = pixels.copy()
    out = normalise_percentiles(pixels, *percentiles)
    assert out.min() >= 0
    assert out.max() <= 1
    order = np.argsort(pixels[0], axis=None, kind="stable")
    assert np.all(np.diff(out[0].ravel()[order]) >= 0)
    np.testing.assert_array_equal(pixels, before)


@given(st.integers(1, 50), st.integers(0, 1000))
def test_gain_and_offset_of_the_camera_do_not_matter(gain, offset):
    pixels = np.random.default_rng(1).integers(0, 1000, (1, 20, 20)).astype(np.uint16)
    np.testing.assert_allclose(normalise_percentiles(pixels * gain + offset), normalise_percentiles(pixels), atol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i8", "f4", "f8"])
def test_a_constant_channel_becomes_zeros(dtype):
    assert not normalise_percentiles(np.full((1, 5, 5), 7, dtype)).any()


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_a_few_bright_pixels_on_a_constant_background_do_not_vanish(dtype):
    pixels = np.zeros((1, 100, 100), dtype)
    pixels[0, 3, 4] = 9
    assert normalise_percentiles(pixels)[0, 3, 4] == 1


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("side", [5, 30, 200])
@pytest.mark.parametrize("percentiles", [(0.1, 99.9), (0, 100), (1, 99)], ids=str)
def test_a_few_darker_pixels_do_not_make_a_constant_image_bright(dtype, side, percentiles):
    pixels = np.full((1, side, side), 100, dtype)
    pixels[0, 2, 1 : 1 + side // 20] = 90
    pixels[0, 3, 3] = 0
    assert not normalise_percentiles(pixels, *percentiles).any()
    pixels[0, 4, 4] = 110
    out = normalise_percentiles(pixels, *percentiles)
    assert out[0, 4, 4] == 1
    assert out.sum() == 1


def test_more_than_a_speck_of_darker_pixels_is_an_image():
    pixels = np.full((1, 60, 60), 100, np.uint8)
    pixels[0, :6, :6] = 0
    assert normalise_percentiles(pixels)[0, 30, 30] == 1


def test_each_channel_is_scaled_by_itself():
    pixels = np.stack([np.arange(100), 1000 * np.arange(100)]).reshape(2, 10, 10)
    np.testing.assert_allclose(*normalise_percentiles(pixels), atol=1e-6)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_without_clipping_a_hot_pixel_exceeds_1(dtype):
    pixels = np.arange(10_000).astype(dtype).reshape(1, 100, 100)
    pixels[0, 0, 0] = 60_000
    assert normalise_percentiles(pixels, clip=False).max() > 5
    assert normalise_percentiles(pixels).max() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_cannot_be_intensities_are_refused(bad):
    pixels = np.ones((1, 2, 2))
    pixels[0, 0, 1] = bad
    with pytest.raises(ValueError, match="1 of 4 values are NaN, infinite or beyond"):
        normalise_percentiles(pixels)


@pytest.mark.parametrize(("lower", "upper"), [(50, 50), (99, 1), (-1, 99), (1, 101), (np.nan, 99)])
def test_percentiles_out_of_order_are_refused(lower, upper):
    with pytest.raises(ValueError, match="expected 0 <= lower < upper <= 100"):
        normalise_percentiles(np.zeros((1, 2, 2)), lower, upper)


def test_complex_pixels_are_refused():
    with pytest.raises(ValueError, match="got pixels of dtype complex64"):
        normalise_percentiles(np.zeros((1, 2, 2), np.complex64))


def noisy(sd: float, contrast: float = 0.0, dtype: type = np.float64, shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    """A field at 500 with noise of a known standard deviation, and a bright square if there is contrast."""
    field = np.random.default_rng(0).normal(500, sd, shape)
    field[20:40, 20:40] += contrast
    return np.round(field).astype(dtype) if np.issubdtype(dtype, np.integer) else field.astype(dtype)


@pytest.mark.parametrize("contrast", [0, 400], ids=["empty", "with a cell"])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64])
def test_noise_is_measured_with_and_without_cells(dtype, contrast):
    assert noise_level(noisy(12, contrast, dtype)) == pytest.approx(12, rel=0.1)


def test_noise_of_a_large_image_is_measured_on_sampled_rows():
    assert noise_level(noisy(12, shape=(2200, 1100))) == pytest.approx(12, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 5000), (2, 2500), (5000, 1), (2500, 2), (3, 2000), (2000, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_noise_of_a_few_rows_or_columns_is_measured_along_them(shape, dtype):
    field = np.random.default_rng(0).normal(500, 12, shape).astype(dtype)
    assert noise_level(field) == pytest.approx(12, rel=0.1)
    assert normalise_percentiles(field[np.newaxis], noise_floor=30).max() < 0.4
    assert noise_level(np.arange(np.prod(shape)).reshape(shape)) == 0  # a slope


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 2)])
def test_noise_of_a_very_small_image_is_0(shape):
    assert noise_level(np.arange(np.prod(shape)).reshape(shape)) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64])
def test_an_empty_field_stays_dark_with_a_noise_floor(dtype):
    field = noisy(10, dtype=dtype)[np.newaxis]
    assert normalise_percentiles(field).std() > 0.1
    floored = normalise_percentiles(field, noise_floor=30)
    assert floored.std() == pytest.approx(1 / 30, rel=0.15)
    assert floored.max() < 0.4


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64])
def test_a_noise_floor_does_not_change_an_image_with_contrast(dtype):
    image = noisy(5, contrast=900, dtype=dtype)[np.newaxis]
    assert np.array_equal(normalise_percentiles(image), normalise_percentiles(image, noise_floor=30))


def test_the_highest_contrast_is_unknown_if_that_of_any_channel_is() -> None:
    constant, unknown = ChannelRange(0, 1, None, True), ChannelRange(0, 1, None, False)
    known = ChannelRange(0, 8, 2, False)
    assert highest_contrast([constant, known]) == 4
    assert np.isnan(highest_contrast([constant, unknown]))
    assert np.isnan(highest_contrast([unknown, constant]))


@pytest.mark.parametrize(("dtype", "largest"), [("f2", 65000), ("f4", 1e38), ("f8", 1e38), ("u8", 2**64 - 1)])
def test_large_values_of_each_type_are_accepted(dtype, largest):
    check_finite(np.array([0, largest], dtype))


@pytest.mark.parametrize(("dtype", "value"), [("f2", np.inf), ("f2", np.nan), ("f4", 3e38), ("f8", 1e300)])
def test_values_that_float32_cannot_hold_are_counted(dtype, value):
    with pytest.raises(ValueError, match="1 of 2 values are NaN, infinite or beyond"):
        check_finite(np.array([0, value], dtype))
