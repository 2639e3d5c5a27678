"""Sizes of objects that are tried on generated nuclei, with the shipped weights."""

from dataclasses import replace

import numpy as np
import pytest

from cellseg_monai.bundle import load_pipeline
from cellseg_monai.data import nuclei
from cellseg_monai.inference.tried_sizes import _telling_window, best_fit, sizes_to_try, try_sizes
from cellseg_monai.labels import typical_diameter_px


@pytest.fixture(scope="module")
def pipeline():
    """The shipped bundle, as if its weights were made for nuclei of 28 px, which is nearly so."""
    loaded = load_pipeline("nuclei", diameter="none", device="cpu", amp=False, tile=256).largest
    return replace(loaded, preprocess=replace(loaded.preprocess, diameter_px=28.0, zoom=None))


@pytest.mark.parametrize("error", [0.5, 1.0, 2.0], ids=["half the size", "the size", "twice the size"])
@pytest.mark.parametrize("diameter_px", [12, 40])
def test_the_true_size_is_found_from_a_wrong_guess(pipeline, diameter_px, error):
    picture = nuclei((256, 256), seed=5, diameter_px=diameter_px)
    image = picture.image[np.newaxis]
    true_px = typical_diameter_px(picture.labels)
    tried_px = sizes_to_try(true_px * error, spread=1.0)
    fits = try_sizes(lambda rows, columns: image[:, rows, columns], (256, 256), pipeline, tried_px)
    best = best_fit(fits)
    assert [fit.tried_px for fit in fits] == tried_px
    assert best.agrees
    assert best.diameter_px == pytest.approx(true_px, rel=0.2)


def test_a_window_of_a_large_image_is_enough(pipeline):
    """The window is where the nuclei are."""
    picture = nuclei((384, 384), seed=3, diameter_px=40)
    image = np.full((1, 2000, 1500), int(np.median(picture.image)), np.uint16)
    image[0, :384, -384:] = picture.image
    read_px = []

    def read(rows, columns):
        part = image[:, rows, columns]
        read_px.append(part.size)
        return part

    best = best_fit(try_sizes(read, (2000, 1500), pipeline, [40.0]))
    assert best.objects >= 3
    assert max(read_px) <= (256 * 40 / 28 + 1) ** 2


def test_sizes_that_need_the_same_scale_are_tried_once(pipeline):
    image = nuclei((96, 96), seed=3, diameter_px=28).image[np.newaxis]
    reads = []

    def read(rows, columns):
        reads.append(rows)
        return image[:, rows, columns]

    fits = try_sizes(read, (96, 96), pipeline, [24.0, 28.0, 33.0])
    assert [fit.tried_px for fit in fits] == [24.0, 28.0, 33.0]
    assert len({fit.found_px for fit in fits}) == len(reads) == 1


def test_nothing_fits_an_empty_image_and_extreme_sizes_are_left_out(pipeline):
    image = np.zeros((1, 96, 96), np.uint16)
    fits = try_sizes(lambda rows, columns: image[:, rows, columns], (96, 96), pipeline, [28.0, 1e5])
    assert [fit.objects for fit in fits] == [0]
    assert best_fit(fits) is None


def test_the_window_is_chosen_by_the_channel_that_the_pipeline_sees(pipeline):
    picture = nuclei((384, 384), seed=3, diameter_px=40).image
    image = np.full((2, 800, 800), int(np.median(picture)), np.uint16)
    image[1, :384, -384:] = picture
    image[0, 500:, :300] = np.random.default_rng(0).integers(0, 60_000, (300, 300))  # another stain

    def objects(channel, *chosen):
        preprocess = replace(pipeline.preprocess, channels=chosen or "grey")
        own = replace(pipeline, preprocess=preprocess)
        (fit,) = try_sizes(lambda rows, columns: image[channel, rows, columns], (800, 800), own, [40.0])
        return fit.objects

    assert objects(slice(None), 1) == objects(slice(1, 2)) >= 3


@pytest.mark.parametrize("value", [0, 60_000])
def test_the_edge_of_a_margin_does_not_attract_the_window(value):
    image = np.random.default_rng(0).normal(400, 12, (1, 300, 300))
    image[0, 200:280:8, 200:280] += 900
    image[:, :41] = image[:, :, :30] = value
    rows, columns = _telling_window(lambda rows, columns: image[:, rows, columns], (300, 300), 80)
    assert rows.start > 150
    assert columns.start > 150
