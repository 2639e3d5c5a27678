"""Outlines over images of any size."""

import numpy as np
import pytest
from PIL import Image

from cellseg_monai.exports import Segmentation, overlay_png, write_exports
from cellseg_monai.exports.overlay_png import write_overlay
from cellseg_monai.io import shrinking
from cellseg_monai.labels import draw_outlines, measure_objects
from tests.label_images import SHAPES, Stored

STEPS = np.repeat(np.arange(SHAPES.size, dtype=np.uint16).reshape(1, *SHAPES.shape), 3, axis=0)


def read(path):
    return np.asarray(Image.open(path))


def test_a_small_image_is_shown_pixel_by_pixel(tmp_path):
    image = np.random.default_rng(0).random((1, *SHAPES.shape))
    write_overlay(tmp_path / "a.png", image, SHAPES)
    assert np.array_equal(read(tmp_path / "a.png"), draw_outlines(image, SHAPES))


def test_labels_of_another_size_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected equal Y and X"):
        write_overlay(tmp_path / "a.png", np.zeros((1, 3, 3)), SHAPES)


def test_a_large_image_shrinks_by_averaging_and_its_outlines_stay_one_pixel_wide(tmp_path, monkeypatch):
    monkeypatch.setattr(overlay_png, "LONGEST_PX", 10)
    fine = np.repeat(np.repeat(SHAPES, 3, axis=0), 3, axis=1)[:-1, :-2]  # the last squares are cropped
    image = np.random.default_rng(0).random((1, *fine.shape))
    write_overlay(tmp_path / "a.png", image, fine)
    drawn = read(tmp_path / "a.png")
    assert drawn.shape == (9, 10, 3)
    means = np.array([[image[0, y : y + 3, x : x + 3].mean() for x in range(0, 28, 3)] for y in range(0, 26, 3)])
    assert np.array_equal(drawn, draw_outlines(means[None].astype(np.float32), SHAPES))


def test_the_same_rows_of_all_channels_are_read_one_after_the_other(monkeypatch):
    monkeypatch.setattr(shrinking, "_STRIP_ROWS", 4)
    read = []

    class Recording(Stored):
        def __getitem__(self, window):
            read.append((window[1].start, window[0]))
            return super().__getitem__(window)

    image = np.random.default_rng(0).random((3, 9, 10))
    means = shrinking.square_means(Recording(image), [2, 0], 2)
    assert read == [(0, 2), (0, 0), (4, 2), (4, 0), (8, 2), (8, 0)]
    assert np.array_equal(means, shrinking.square_means(image[[2, 0]], [0, 1], 2))


@pytest.mark.parametrize("strip_rows", [1, 4, 1024])
def test_the_export_reads_a_few_rows_at_a_time_and_stretches_contrast(tmp_path, monkeypatch, strip_rows):
    monkeypatch.setattr(overlay_png, "LONGEST_PX", 5)
    monkeypatch.setattr(shrinking, "_STRIP_ROWS", strip_rows)
    labels = np.zeros_like(SHAPES)
    image = Stored(np.concatenate([STEPS, np.full((1, *SHAPES.shape), 9, np.uint16)]))
    names = ("red", "green", "blue", "alpha")
    objects = Segmentation(Stored(labels), measure_objects(labels), "a.tif", image=image, channel_names=names)
    drawn = read(write_exports(tmp_path, objects, "overlay")["overlay"][0])
    assert drawn.shape == (5, 5, 3)
    assert (drawn == drawn[..., :1]).all()
    assert drawn[0, 0, 0] < 5
    assert drawn[4, 4, 0] > 250
    if strip_rows == 1:
        assert image.largest <= 2 * SHAPES.shape[1]
