"""Margins without data are found, and change nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.pixels import PreparedWindows, Preprocessing, find_margins, prepare_and_measure, rescale_labels
from cellseg_monai.pixels.margin_search import glimpsed_margins

SHAPE = (90, 120)
WHOLE = (slice(0, 90), slice(0, 120))
ROWS, COLUMNS = np.mgrid[:90, :120]

MARGINS = {
    "a row": ROWS < 1,
    "stripes on two sides": (ROWS < 9) | (COLUMNS >= 100),
    "oblique corners": (ROWS + 0.4 * COLUMNS < 20) | (ROWS - 0.4 * COLUMNS > 70),
    "a round field of view": np.hypot(ROWS - 45, COLUMNS - 60) > 58,
    "a missing tile": (ROWS < 45) & (COLUMNS < 60),
}


def field(dtype: str = "u2", seed: int = 0) -> np.ndarray:
    """Return bright discs on a noisy background of 400."""
    generator = np.random.default_rng(seed)
    image = generator.normal(400, 12, SHAPE)
    for _ in range(12):
        image += 2000 * (np.hypot(ROWS - generator.integers(90), COLUMNS - generator.integers(120)) < 6)
    return (ndimage.gaussian_filter(image, 1) / (16 if dtype == "u1" else 1)).astype(dtype)[np.newaxis]


def found(image: np.ndarray, windows=None):
    return find_margins(lambda rows, columns: image[:, rows, columns], SHAPE, windows)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("name", MARGINS)
def test_a_margin_is_found_and_left_out(name, value, dtype):
    clean, missing = field(dtype), MARGINS[name]
    value = value if dtype == "u1" else value * 257
    image = np.where(missing, np.array(value, dtype), clean)
    margins = found(image)
    assert np.array_equal(margins(*WHOLE), missing)
    assert margins.share == pytest.approx(missing.mean())
    prepared, plain = (prepare_and_measure(pixels, Preprocessing()) for pixels in (image, clean))
    assert np.array_equal(prepared.missing, missing)
    assert (prepared.pixels[0, missing] == 0).all()
    assert np.abs(prepared.pixels - plain.pixels)[0, ~missing].max() < 0.12
    assert plain.missing is None


@pytest.mark.parametrize("settings", [Preprocessing(), Preprocessing(zoom=0.6), Preprocessing(invert=True)], ids=str)
@pytest.mark.parametrize("name", MARGINS)
def test_windows_have_the_margins_of_the_whole_image(name, settings):
    image = np.where(MARGINS[name], 0, field())
    whole = prepare_and_measure(image, settings)
    windows = PreparedWindows(lambda rows, columns: image[:, rows, columns], SHAPE, settings, chunk_shape=(16, 32))
    part = slice(3, 40), slice(5, 70)
    np.testing.assert_allclose(windows(*part), whole.pixels[(slice(None), *part)], atol=1e-5)
    assert np.array_equal(windows.missing(*part), whole.missing[part])


@given(
    to=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    name=st.sampled_from(sorted(MARGINS)),
)
def test_no_label_of_a_resampled_image_reaches_into_a_margin(to, name):
    missing = MARGINS[name]
    resampled = found(np.where(missing, 0, field())).resampled(to)(slice(0, to[0]), slice(0, to[1]))
    expected = rescale_labels(missing, to)
    for y, x in np.argwhere(missing):
        expected[(2 * y + 1) * to[0] // (2 * SHAPE[0]), (2 * x + 1) * to[1] // (2 * SHAPE[1])] = True
    assert resampled[expected].all()
    if to[0] <= SHAPE[0] and to[1] <= SHAPE[1]:
        assert np.array_equal(resampled, expected)
    assert not rescale_labels(~resampled, SHAPE)[missing].any()


def clipped_background():
    return np.maximum(field().astype(int) - 400, 0).astype(np.uint16)


def flat_background():
    return np.where(field() > 1200, field(), 300)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(field(), id="an ordinary image"),
        pytest.param(clipped_background(), id="a background that is clipped to 0"),
        pytest.param(flat_background(), id="a flat background"),
        pytest.param(np.full((1, *SHAPE), 7), id="a constant image"),
        pytest.param((field() > 1200).astype(np.uint8), id="a mask"),
        pytest.param(np.where(COLUMNS < 115, 0, field()), id="next to no data"),
        pytest.param(np.where(np.hypot(ROWS - 45, COLUMNS - 60) < 20, field(), 0), id="a cut-out object"),
        pytest.param(np.where((ROWS // 15 + COLUMNS // 20) % 3 == 0, field(), 0) * (ROWS > 14), id="cut-out objects"),
        pytest.param(np.where((ROWS < 1) & (COLUMNS < 20), 0, field()), id="a few pixels"),
    ],
)
def test_nothing_else_is_a_margin(image):
    assert found(image) is None


def test_a_margin_has_to_lack_data_in_each_channel():
    image = np.concatenate([np.where(ROWS < 9, 0, field(seed=number)) for number in range(3)])
    assert np.array_equal(found(image)(*WHOLE), ROWS < 9)
    image[1] = field()[0]
    assert found(image) is None


def test_a_tiny_image_has_no_margins():
    assert find_margins(lambda rows, columns: np.zeros((1, 2, 9))[:, rows, columns], (2, 9)) is None


@pytest.mark.parametrize("value", [0, 65_535])
@pytest.mark.parametrize(
    ("shape", "missing"),
    [
        ((90, 700), lambda rows, columns: (rows >= 85) | (columns < 600) | (rows < 3)),
        ((1000, 700), lambda rows, columns: np.hypot(rows - 400, columns - 300) > 150),
    ],
    ids=["a rectangle", "a round field"],
)
def test_data_in_a_small_part_of_an_image_are_found_and_prepared_as_if_alone(shape, missing, value):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    clean = np.random.default_rng(0).normal(400, 12, (1, *shape)) + 900 * ((rows % 40 < 12) & (columns % 50 < 14))
    is_missing = missing(rows, columns)
    image = np.where(is_missing, value, clean).astype(np.uint16)
    margins = find_margins(lambda y, x: image[:, y, x], shape)
    assert np.array_equal(margins(slice(0, shape[0]), slice(0, shape[1])), is_missing)
    assert margins.share > 0.8
    prepared, alone = (
        prepare_and_measure(pixels, Preprocessing()) for pixels in (image, image[(slice(None), *margins.box)])
    )
    np.testing.assert_allclose(prepared.pixels[(slice(None), *margins.box)], alone.pixels, atol=1e-6)


def test_saturated_pixels_do_not_hide_a_white_margin():
    image = np.where(np.arange(ROWS.size).reshape(SHAPE) % 150 == 7, 65_535, field())
    image = np.where(MARGINS["stripes on two sides"], 65_535, image)
    assert np.array_equal(found(image)(*WHOLE), MARGINS["stripes on two sides"])


def test_the_box_of_the_data_is_known():
    inner = (ROWS >= 9) & (ROWS < 80) & (COLUMNS >= 4) & (COLUMNS < 100)
    assert found(np.where(inner, field(), 0)).box == (slice(9, 80), slice(4, 100))


class TestGlimpsed:
    shape = (700, 1100)
    rows, columns = np.mgrid[:700, :1100]
    noise = np.random.default_rng(0).normal(400, 12, shape)

    def glimpsed(self, missing):
        image = np.where(missing, 0, self.noise)[np.newaxis]
        return glimpsed_margins(lambda rows, columns: image[:, rows, columns], self.shape)

    @pytest.mark.parametrize("name", ["stripes", "corners", "a round field"])
    def test_all_of_a_margin_and_little_else_counts(self, name):
        missing = {
            "stripes": (self.rows < 40) | (self.columns >= 1000),
            "corners": (self.rows + 0.4 * self.columns < 200) | (self.rows - 0.4 * self.columns > 500),
            "a round field": np.hypot(self.rows - 350, self.columns - 550) > 340,
        }[name]
        seen = self.glimpsed(missing)(slice(0, 700), slice(0, 1100))
        assert seen[missing].all()
        assert seen[~missing].mean() < 0.05

    def test_an_image_that_has_data_everywhere_has_no_margins(self):
        assert self.glimpsed(self.rows < 0) is None
