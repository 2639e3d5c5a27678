import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.io import open_image, read, read_labels, write_tiled_labels

LABELS = np.random.default_rng(0).integers(0, 2**32, (45, 70), dtype=np.uint32)


class Lazy:
    """Labels that are made when they are asked for."""

    def __init__(self, shape, dtype=np.uint32):
        self.shape, self.dtype, self.windows = shape, np.dtype(dtype), []

    def __getitem__(self, window):
        y, x = (np.arange(*part.indices(n)) for part, n in zip(window, self.shape, strict=True))
        self.windows.append((len(y), len(x)))
        return (y[:, None] // 7 * 1000 + x // 9).astype(self.dtype)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.tif"


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([16, 32]), st.sampled_from(["uint8", "int32", "uint64"]))
def test_what_is_written_is_read_again(tmp_path_factory, height, width, side, dtype):
    labels = (np.arange(height * width).reshape(height, width) % 251).astype(dtype)
    path = tmp_path_factory.mktemp("labels") / "labels.tif"
    write_tiled_labels(path, labels, tile_px=side, durable=False)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_it_is_a_tiled_compressed_bigtiff_with_its_pixel_size(path):
    write_tiled_labels(path, LABELS, pixel_size_um=(0.5, 0.325), tile_px=32)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        assert tif.is_bigtiff
        assert (page.tilelength, page.tilewidth, page.dtype, page.compression) == (32, 32, np.uint32, 8)
        numerator, denominator = page.tags["YResolution"].value
        assert numerator / denominator == pytest.approx(20_000)
    image = read(path)
    np.testing.assert_array_equal(image.pixels[0], LABELS)
    assert image.pixel_size_um == (0.5, 0.325)


def test_the_same_labels_give_the_same_bytes(path, tmp_path):
    write_tiled_labels(path, LABELS, tile_px=32)
    write_tiled_labels(tmp_path / "again.tif", LABELS, tile_px=32)
    assert path.read_bytes() == (tmp_path / "again.tif").read_bytes()


def test_a_few_tiles_of_it_are_in_memory(path):
    labels = Lazy((4096, 4096))
    tracemalloc.start()
    try:
        write_tiled_labels(path, labels, tile_px=256, durable=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert set(labels.windows) == {(256, 256)}
    assert peak < 4096 * 4096 * 4 * 0.75
    with open_image(path) as image:
        window = slice(4000, 4096), slice(10, 20)
        np.testing.assert_array_equal(image.window((), *window)[0], Lazy((4096, 4096))[window])


@pytest.mark.parametrize(
    ("labels", "how", "error", "says"),
    [
        (LABELS.astype(float), {}, TypeError, "float64"),
        (LABELS > 0, {}, TypeError, "bool"),
        (-LABELS.astype(int), {}, ValueError, "in the tile at row 0, column 0"),
        (np.pad([[2**32]], ((40, 0), (20, 0))), {"tile_px": 16}, ValueError, "row 32, column 16.* relabel"),
        (LABELS[None], {}, ValueError, r"\(1, 45, 70\)"),
        (LABELS[:0], {}, ValueError, "not empty"),
        (LABELS, {"tile_px": 100}, ValueError, "multiple of 16"),
        (LABELS, {"pixel_size_um": (0, 1)}, ValueError, "two positive lengths"),
    ],
    ids=["fractions", "bool", "negative", "beyond 32 bits", "stack", "empty", "tile", "pixel size"],
)
def test_what_is_no_label_image_is_refused(path, labels, how, error, says):
    with pytest.raises(error, match=says):
        write_tiled_labels(path, labels, **how)
    assert list(path.parent.iterdir()) == []


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.tif"):
        write_tiled_labels(tmp_path / "labels.png", LABELS)
