"""Views of images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.scouting import SIDE_PX, views_of
from cellseg_monai.scouting.views import is_flat


def views(image: np.ndarray):
    return views_of(lambda rows, columns: image[:, rows, columns], image.shape[1:])


@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from(["u1", "u2", "f4"]), st.sampled_from([1, 3]))
def test_views_lie_in_the_image_and_the_coarsest_shows_nearly_all_of_it(height, width, dtype, channels):
    image = np.random.default_rng(0).integers(0, 255, (channels, height, width)).astype(dtype)
    found = views(image)
    for view in found:
        assert view.pixels.shape == (3, SIDE_PX, SIDE_PX)
        assert view.pixels.dtype == np.float32
        assert 0 <= view.pixels.min() <= view.pixels.max() <= 1
        assert 0 <= view.rows.start < view.rows.stop <= height
        assert 0 <= view.columns.start < view.columns.stop <= width
    last = found[-1]
    if max(height, width) <= 8 * SIDE_PX:
        seen = (last.rows.stop - last.rows.start) * (last.columns.stop - last.columns.start)
        assert seen >= 0.7 * height * width
    assert found[0].factor == 1


def test_a_view_holds_the_means_of_the_pixels():
    image = np.zeros((1, 320, 320), np.uint16)
    image[0, :160] = 1000
    fine, coarse = views(image)[0], views(image)[-1]
    assert coarse.factor == 2
    np.testing.assert_array_equal(coarse.pixels[0, :80, :160], 1)
    np.testing.assert_array_equal(coarse.pixels[:, 80:, :160], 0)
    assert fine.factor == 1


def test_the_part_with_the_highest_contrast_is_shown():
    image = np.zeros((1, 640, 640), np.float32)
    image[0, 500:600:3, 20:120] = 1
    view = views(image)[0]
    assert view.rows.start >= 400
    assert view.columns.start == 0


def test_colours_keep_their_hue():
    image = np.stack([np.full((200, 200), value, np.uint8) for value in (200, 100, 50)])
    image[:, :10] = 0
    image[:, -10:] = 255
    pixels = views(image)[-1].pixels[:, 40, 40]
    assert pixels == pytest.approx([200 / 255, 100 / 255, 50 / 255], abs=0.01)


def test_a_constant_image_is_dark():
    assert all((view.pixels == 0).all() for view in views(np.full((1, 300, 300), 7, np.uint8)))


@pytest.mark.parametrize(
    ("dtype", "brightest"),
    [("f2", 6e-8), ("f2", 65000), ("f4", 1e-43), ("f4", 1e38), ("f8", 5e-324), ("f8", 1e-300), ("i8", 2**62)],
)
def test_the_smallest_and_largest_values_of_a_type_are_told_apart(dtype, brightest):
    mask = np.zeros((1, 320, 320), bool)
    mask[0, 40:120, 40:280] = True
    image = (mask * np.array(brightest)).astype(dtype)
    expected = [view.pixels for view in views(mask.astype(np.float32))]
    for view, pixels in zip(views(image), expected, strict=True):
        np.testing.assert_allclose(view.pixels, pixels, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "flat"),
    [
        (np.full((200, 300), 7), True),
        (np.kron(np.random.default_rng(0).integers(0, 9, (10, 15)), np.ones((20, 20), int)), True),
        (np.random.default_rng(0).normal(100, 3, (200, 300)).round(), False),
        (np.random.default_rng(0).poisson(1, (200, 300)), False),
        (np.hypot(*np.indices((200, 300)) - 100) // 12, False),
        (np.hypot(*np.indices((200, 300)) - 100) < 40, True),
    ],
    ids=["a constant picture", "a label image", "noise of a camera", "single photons", "few levels", "a mask"],
)
def test_areas_of_a_single_value_are_told_from(image, flat):
    assert is_flat(views_of(lambda rows, columns: image[np.newaxis, rows, columns], image.shape)) is flat


def test_a_few_objects_on_a_background_of_a_single_value_are_seen():
    image: np.ndarray = np.zeros((1, 100, 100))
    image[0, 50, 40:46] = np.arange(6)
    (view,) = views_of(lambda rows, columns: image[:, rows, columns], (100, 100))
    assert view.pixels.max() == 1


ROWS, COLUMNS = np.mgrid[:300, :420]
INNER = (slice(30, 270), slice(25, 405))
FIELD = {
    "grey": 400 + 30 * (ROWS % 7) + 900 * ((ROWS % 40 < 12) & (COLUMNS % 50 < 14)) + COLUMNS,
    "colour": np.stack([120 + ROWS % 50, 90 + COLUMNS % 60, 100 + (ROWS + COLUMNS) % 40]),
}


def framed(field: np.ndarray, value: int) -> np.ndarray:
    """Return C×Y×X pixels of which only the inner part has data."""
    image = np.full((np.atleast_3d(field.T).shape[2], *ROWS.shape), value, np.uint16)
    image[(slice(None), *INNER)] = field[(..., *INNER)]
    return image


@pytest.mark.parametrize("value", [0, 65_535], ids=["black", "white"])
@pytest.mark.parametrize("field", FIELD.values(), ids=list(FIELD))
def test_views_are_those_of_the_part_with_data(field, value):
    image = framed(field, value)
    seen, alone = views(image), views(image[(slice(None), *INNER)])
    assert len(seen) == len(alone)
    for view, inner in zip(seen, alone, strict=True):
        np.testing.assert_array_equal(view.pixels, inner.pixels)
        assert (view.rows.start, view.columns.start) == (inner.rows.start + 30, inner.columns.start + 25)


@pytest.mark.parametrize("value", [0, 65_535], ids=["black", "white"])
def test_oblique_corners_without_data_have_the_median_and_no_part_in_the_range(value):
    is_corner = (ROWS + COLUMNS < 130) | (ROWS - COLUMNS > 180)
    image, clean = np.where(is_corner, value, FIELD["grey"])[np.newaxis], FIELD["grey"][np.newaxis]
    view, whole = views(image)[-1], views(clean)[-1]
    assert view.factor == whole.factor == 4
    corners = is_corner[::4, ::4]
    shown = view.pixels[0, :75, :105]
    assert np.abs(shown - whole.pixels[0, :75, :105])[~corners].mean() < 0.02
    assert np.ptp(shown[:15, :15]) == 0
    assert 0.2 < shown[0, 0] < 0.4
    assert view.missing[:75, :105].mean() == pytest.approx(is_corner.mean(), abs=0.01)
    assert not is_flat(views(image))


@pytest.mark.parametrize("value", [0, 65_535], ids=["black", "white"])
def test_a_large_image_is_not_read_whole_for_its_margins(value):
    rows, columns = np.ogrid[:2400, :2000]
    inner = (slice(200, 2300), slice(40, 1900))
    image = np.full((1, 2400, 2000), value, np.uint16)
    image[0][inner] = (400 + 30 * (rows % 7) + 900 * (rows % 40 < 12) * (columns % 50 < 14) + columns % 100)[inner]
    largest_px = 0

    def read(rows, columns):
        nonlocal largest_px
        part = image[:, rows, columns]
        largest_px = max(largest_px, part.size)
        return part

    for view in views_of(read, (2400, 2000)):
        assert view.rows.start >= 200
        assert view.rows.stop <= 2300
        assert not view.missing.any()
        assert np.median(view.pixels[0]) < 0.3
    assert largest_px <= 1280**2
