import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.pixels import rescale, rescale_labels, rescaled_shape
from cellseg_monai.pixels.scale import zoom_for_objects

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def disc(shape, radius):
    y, x = np.indices(shape)
    return np.hypot(y - shape[0] * 0.4, x - shape[1] * 0.6) < radius


@given(SHAPES, SHAPES)
def test_results_have_exactly_the_wanted_shape_and_no_new_labels(old, new):
    labels = np.random.default_rng(0).integers(0, 5, old).astype(np.int32)
    out = rescale_labels(labels, new)
    assert out.shape == new
    assert out.dtype == np.int32
    assert set(np.unique(out)) <= set(np.unique(labels))
    assert rescale(labels[np.newaxis].astype(np.float32), new).shape == (1, *new)


@given(SHAPES, st.integers(1, 4))
def test_labels_enlarged_by_an_integer_factor_shrink_back_unchanged(shape, factor):
    labels = np.random.default_rng(0).integers(0, 2**31 - 1, shape)
    enlarged = rescale_labels(labels, (shape[0] * factor, shape[1] * factor))
    np.testing.assert_array_equal(enlarged, labels.repeat(factor, 0).repeat(factor, 1))
    np.testing.assert_array_equal(rescale_labels(enlarged, shape), labels)


@given(st.floats(2, 500), st.floats(10, 60))
def test_objects_end_up_near_the_target_and_images_are_never_enlarged_for_nothing(diameter_px, target_px):
    zoom = zoom_for_objects(diameter_px, target_px)
    assert 0.7 - 1e-9 <= diameter_px * zoom / target_px <= 1.3
    assert zoom <= 1 or diameter_px < 0.7 * target_px
    assert zoom >= 1 or diameter_px > 1.3 * target_px


@pytest.mark.parametrize("shape", [(60, 80), (111, 143), (240, 320), (120, 80)])
def test_image_and_labels_stay_aligned(shape):
    mask = disc((120, 160), 30)
    image = rescale(mask[np.newaxis].astype(np.float32), shape)[0]
    labels = rescale_labels(mask.astype(np.uint8), shape)
    assert np.mean((image > 0.5) != labels) < 0.01
    for axis in (0, 1):
        places = np.arange(shape[axis]).reshape((-1, 1) if axis == 0 else (1, -1))
        centres = [(places * weight).sum() / weight.sum() for weight in (image, labels)]
        assert abs(centres[0] - centres[1]) < 0.25


def test_shrinking_averages_the_finer_pixels():
    chequered = np.indices((64, 64)).sum(axis=0) % 2
    shrunk = rescale(chequered[np.newaxis], (16, 16))
    assert shrunk.dtype == np.float32
    assert abs(shrunk - 0.5).max() < 0.2


def test_values_stay_within_their_range():
    noise = np.random.default_rng(0).random((2, 33, 47), dtype=np.float32)
    for shape in ((20, 90), (66, 94)):
        out = rescale(noise, shape)
        assert noise.min() <= out.min()
        assert out.max() <= noise.max()


def test_an_image_of_the_right_shape_is_not_changed():
    image = np.ones((1, 4, 5), np.float32)
    assert rescale(image, (4, 5)) is image


def test_each_axis_has_its_own_pixel_size():
    assert rescaled_shape((100, 200), pixel_size_um=(0.5, 0.25), target_um=0.5) == (100, 100)


def test_pixel_sizes_within_two_percent_count_as_equal():
    assert rescaled_shape((1000, 1000), pixel_size_um=(0.495, 0.491), target_um=0.5) == (1000, 1000)
    assert rescaled_shape((1000, 1000), pixel_size_um=(0.48, 0.5), target_um=0.5) == (960, 1000)


@pytest.mark.parametrize("size", [0, -1, np.nan, np.inf, 500, 1e-4])
def test_implausible_pixel_sizes_are_refused(size):
    with pytest.raises(ValueError, match="check that both are in µm"):
        rescaled_shape((10, 10), pixel_size_um=(size, size), target_um=0.5)
