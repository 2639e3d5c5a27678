"""The tiles of images, and the images that cannot be segmented, are known from the headers of the files."""

import numpy as np
import pytest

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference import ImageFile, Job, Pipeline, Reading, Tiles, misfits, seconds_a_px, understood
from cellseg_monai.pixels import Preprocessing
from tests.raw_head import RawHead

STAINS = Reading(axes="CYX")


@pytest.fixture
def images(tmp_path):
    """Two images with two stains each, and a grey one."""
    for name, shape in (("a", (2, 3, 4)), ("b", (2, 3, 4)), ("c", (1, 3, 4))):
        np.save(tmp_path / f"{name}.npy", np.ones(shape))
    return [ImageFile(tmp_path / f"{name}.npy") for name in "abc"]


def test_if_no_image_fits_each_is_named(images):
    faults = misfits(images[:2], Preprocessing(), STAINS)
    assert [line.split(": ")[0] for line in faults] == [str(image.path) for image in images[:2]]
    assert all("got an image with 2 channels" in line for line in faults)


def test_if_one_image_fits_the_others_are_left_to_fail_later(images):
    assert misfits(images, Preprocessing(), STAINS) == []
    assert misfits(images[:2], Preprocessing(channels=[1]), STAINS) == []


def test_a_missing_pixel_size_is_named(images):
    settings = Preprocessing(pixel_size_um=0.5)
    assert len(misfits(images[2:], settings, STAINS)) == 1
    assert misfits(images[2:], settings, Reading("CYX", (0.4, 0.4))) == []


@pytest.mark.parametrize("content", [b"", b"notes"], ids=["empty", "not an image"])
def test_an_unreadable_image_is_left_to_fail_later(images, content):
    images[1].path.write_bytes(content)
    assert misfits(images[:2], Preprocessing(), STAINS) == []


@pytest.mark.parametrize(
    ("shape", "batch"),
    [((20, 30), (1, 32, 32)), ((50, 30), (2, 32, 32)), ((500, 30), (4, 32, 32))],
    ids=["one tile", "fewer than a batch", "more than a batch"],
)
def test_the_network_is_timed_with_no_more_tiles_than_the_image_has(tmp_path, shape, batch):
    seen = []

    def network(tiles):
        seen.append(tiles.shape)
        return tiles

    tiles = Tiles((32, 32), overlap=0, batch=4)
    pipeline = Pipeline("bright", "1", "", network, RawHead(), Preprocessing(), Postprocessing(), tiles)
    np.save(tmp_path / "image.npy", np.zeros(shape))
    description = understood(tmp_path / "image.npy", Job(pipeline, tmp_path / "out"))
    assert description.batch == batch
    assert seconds_a_px(pipeline, description.batch) > 0
    assert set(seen) == {(batch[0], 1, *batch[1:])}
