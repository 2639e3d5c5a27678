"""Synthetic images: exact labels, the same bytes for the same seed, and pixels like those of a camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.data import SyntheticImage, nuclei, phase_cells
from cellseg_monai.data.synthetic_optics import camera, illumination, smooth_noise
from cellseg_monai.data.synthetic_shapes import Canvas, Outline

GENERATORS = [pytest.param(nuclei, id="nuclei"), pytest.param(phase_cells, id="phase cells")]


def assert_exact(labels: np.ndarray) -> None:
    assert labels.dtype == np.int32
    ids = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
    for number in ids:
        _, pieces = ndimage.label(labels == number)
        assert pieces == 1, f"id {number} is in {pieces} pieces"


@pytest.mark.parametrize("make", GENERATORS)
@given(seed=st.integers(0, 2**32), height=st.integers(32, 120), width=st.integers(32, 120))
@settings(max_examples=12)
def test_labels_are_exact_for_every_seed_and_shape(make, seed, height, width):
    made = make((height, width), seed=seed)
    assert made.image.shape == made.labels.shape == (height, width)
    assert_exact(made.labels)


@pytest.mark.parametrize("make", GENERATORS)
def test_full_size_images_contain_many_exact_objects(make):
    for seed in range(3):
        labels = make(seed=seed).labels
        assert_exact(labels)
        assert labels.max() >= 5
        assert np.bincount(labels.ravel())[1:].min() >= 12


@pytest.mark.parametrize("make", GENERATORS)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(make, bits):
    first, again, other = (make((96, 80), seed=seed, bits=bits) for seed in (3, 3, 4))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.image.tobytes() != other.image.tobytes()
    assert first.image.dtype == {8: np.uint8, 16: np.uint16}[bits]


def test_16_bit_nuclei_use_hundreds_to_thousands_of_grey_levels_above_an_offset():
    for seed in range(8):
        image = nuclei(seed=seed).image
        low, high = np.percentile(image, [1, 99])
        assert 80 < low < 2000
        assert high - low > 200
        assert image.max() < 65535 or (image == 65535).mean() < 0.05


def test_nuclei_are_brighter_than_the_background():
    for seed in range(8):
        made: SyntheticImage = nuclei(seed=seed)
        assert np.median(made.image[made.labels > 0]) > 1.2 * np.median(made.image[made.labels == 0])


def test_clustered_nuclei_touch():
    def touching(labels: np.ndarray) -> int:
        pairs = 0
        for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
            pairs += int(((a != b) & (a > 0) & (b > 0)).sum())
        return pairs

    assert touching(nuclei(seed=5, count=25, clustering=0.0).labels) == 0
    assert touching(nuclei(seed=5, count=25, clustering=0.9).labels) > 50


def test_phase_cells_have_a_bright_halo_around_a_darker_body():
    made = phase_cells(seed=0)
    image, inside = made.image.astype(float), made.labels > 0
    distance = ndimage.distance_transform_edt(~inside)
    far = np.median(image[distance > 12])
    assert image[(distance > 0) & (distance <= 2)].mean() > far
    assert np.median(image[inside]) < far


def test_bright_field_shows_the_same_cells_differently():
    phase, bright = (phase_cells((96, 96), seed=2, contrast=c) for c in ("phase", "brightfield"))
    np.testing.assert_array_equal(phase.labels, bright.labels)
    assert (phase.image != bright.image).any()


def test_an_empty_field_has_a_background_but_no_labels():
    made = nuclei((64, 64), seed=0, count=0)
    assert made.labels.max() == 0
    assert made.image.min() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: nuclei((8, 64), seed=0), "at least 16", id="too small for nuclei"),
        pytest.param(lambda: phase_cells((16, 64), seed=0), "at least 32", id="too small for cells"),
        pytest.param(lambda: nuclei(seed=0, bits=12), "expected 8 or 16", id="12 bit nuclei"),
        pytest.param(lambda: phase_cells(seed=0, bits=12), "expected 8 or 16", id="12 bit cells"),
        pytest.param(lambda: nuclei(seed=0, clustering=2), "between 0 and 1", id="clustering of 2"),
        pytest.param(lambda: nuclei(seed=0, count=-1), "a non-negative number", id="a negative number of nuclei"),
        pytest.param(lambda: nuclei(seed=0, diameter_px=0), "at least 4", id="nuclei without extent"),
        pytest.param(lambda: phase_cells(seed=0, diameter_px=3), "at least 8", id="cells of 3 px"),
        pytest.param(lambda: phase_cells(seed=0, contrast="dic"), "'phase' or", id="another contrast"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_contested_pixel_goes_to_the_object_that_contains_it_more_deeply():
    canvas = Canvas(np.zeros((2, 9, 21)))
    assert canvas.add(Outline((4.0, 5.0), 5.5), max_overlap=0.5)
    assert canvas.add(Outline((4.0, 15.0), 5.5), max_overlap=0.5)
    labels, kept = canvas.finish(min_area_px=1)
    assert kept == [0, 1]
    np.testing.assert_array_equal(labels[4], [1] * 11 + [2] * 10)


def test_an_object_without_room_is_refused():
    canvas = Canvas(np.zeros((2, 20, 40)))
    assert canvas.add(Outline((10.0, 10.0), 6.0))
    assert not canvas.add(Outline((10.0, 10.0), 6.0))
    assert not canvas.add(Outline((10.0, 15.0), 6.0))
    assert not canvas.add(Outline((10.0, 23.0), 6.0), gap_px=3.0)
    assert not canvas.add(Outline((-50.0, 0.0), 6.0))
    assert len(canvas.outlines) == 1


def test_the_camera_has_the_mean_and_variance_of_its_model():
    rng = np.random.default_rng(0)
    levels = camera(rng, np.full((400, 400), 100.0), gain=2.0, offset=50.0, read_noise=5.0, bits=16)
    assert levels.mean() == pytest.approx(250, rel=0.01)
    assert levels.var() == pytest.approx(2.0**2 * (100 + 5.0**2), rel=0.03)
    assert camera(rng, np.full((2, 2), 1e5), gain=1, offset=0, read_noise=0, bits=8).tolist() == [[255] * 2] * 2


@pytest.mark.parametrize("sigma_px", [0.8, 3.0, 40.0])
def test_smooth_noise_has_unit_spread_and_the_requested_shape(sigma_px):
    noise = smooth_noise(np.random.default_rng(1), (50, 33), sigma_px)
    assert noise.shape == (50, 33)
    assert noise.mean() == pytest.approx(0, abs=1e-4)
    assert noise.std() == pytest.approx(1, rel=1e-3)


def test_illumination_falls_off_but_never_to_zero():
    light = illumination(np.random.default_rng(2), (60, 90), 0.45)
    assert 0.1 < light.min() < light.max() <= 1
