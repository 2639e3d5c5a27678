from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.altered_images import (
    ALTERATIONS,
    MARGINS,
    data_mask,
    raise_background,
    vignette,
    write_image,
    zoom_image,
    zoom_labels,
)
from cellseg_monai.io import read
from cellseg_monai.pixels.margin_search import find_margins

SHAPE = (60, 80)


def noise(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).integers(500, 3000, (1, *shape)).astype(np.uint16)


@given(st.sampled_from([0.5, 2.0]), st.integers(0, 3), st.integers(0, 3))
def test_labels_stay_on_their_image_at_every_zoom(factor: float, row: int, column: int) -> None:
    labels = np.zeros((40, 48), np.uint16)
    labels[8 + 2 * row : 24 + 2 * row, 4 + 2 * column : 28 + 2 * column] = 7
    zoomed = zoom_image(np.where(labels, 1000, 0).astype(np.uint16)[np.newaxis], factor)
    assert zoomed.dtype == np.uint16
    found, expected = zoomed[0] > 500, zoom_labels(labels, factor) > 0
    assert found.shape == (40 * factor, 48 * factor)
    assert (found & expected).sum() / (found | expected).sum() > 0.85


@pytest.mark.parametrize("name", MARGINS)
def test_a_margin_is_what_the_package_finds_as_one(name: str) -> None:
    _, change = ALTERATIONS[f"black {name}"]
    changed = change(noise())
    margins = find_margins(lambda rows, columns: changed[:, rows, columns], SHAPE)
    assert margins is not None
    np.testing.assert_array_equal(~margins(slice(0, SHAPE[0]), slice(0, SHAPE[1])), data_mask(SHAPE, name))


def test_an_unknown_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of one row, stripe"):
        data_mask(SHAPE, "star")


def test_a_vignette_halves_the_light_in_the_corners_and_keeps_it_in_the_centre() -> None:
    dimmed = vignette(np.full((1, 41, 61), 1000, np.uint16))[0]
    assert dimmed[20, 30] == 1000
    assert [dimmed[0, 0], dimmed[-1, -1]] == [500, 500]


def test_a_raised_background_keeps_all_differences() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    raised = raise_background(image)
    assert raised.min() > 500
    np.testing.assert_array_equal(np.diff(raised.astype(int).ravel()), 1)
    assert raise_background(np.array([[[0, 65000]]], np.uint16)).max() == 65535


@pytest.mark.parametrize("channels", [1, 3])
def test_a_written_image_is_read_as_it_was(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (channels, 20, 30)).astype(np.uint8)
    write_image(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, pixels)
