"""Label images that are written in tiles."""

import numpy as np
import pytest
import tifffile

from cellseg_monai import io
from cellseg_monai.io import Segmentation, label_tiff, write_exports
from cellseg_monai.io.label_tiles import write_label_tiles
from cellseg_monai.labels import measure_objects
from tests.label_images import Stored, many_discs

LABELS = many_discs(7_000)  # 1092², so that tiles at the right and the bottom are cut


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.tif"


@pytest.mark.parametrize("name", [None, "well A1.tif"], ids=["TIFF", "OME-TIFF"])
class TestBothKinds:
    def test_what_is_written_is_read_again_with_its_pixel_size(self, tmp_path, name):
        path = tmp_path / ("labels.tif" if name is None else "labels.ome.tif")
        stored = Stored(LABELS)
        write_label_tiles(path, stored, highest_id=7_000, pixel_size_um=(0.5, 0.325), ome_name=name)
        assert np.array_equal(io.read_labels(path), LABELS)
        assert io.read(path).pixel_size_um == (0.5, 0.325)
        assert stored.largest <= 512 * 1092
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            assert (page.tilewidth, page.tilelength, page.dtype) == (512, 512, np.uint16)
            assert file.is_ome is (name is not None)

    @pytest.mark.parametrize(("highest", "dtype"), [(65_535, "uint16"), (65_536, "uint32"), (2**32 - 1, "uint32")])
    def test_the_highest_id_decides_the_type(self, path, name, highest, dtype):
        write_label_tiles(path, np.array([[0, highest]]), highest_id=highest, ome_name=name)
        assert tifffile.imread(path).dtype == dtype
        assert tifffile.imread(path).max() == highest

    def test_the_same_labels_give_the_same_bytes(self, tmp_path, name):
        for each in "ab":
            write_label_tiles(tmp_path / each, LABELS, highest_id=7_000, ome_name=name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_beyond_four_gigabytes_it_is_a_big_tiff(path, monkeypatch):
    monkeypatch.setattr("cellseg_monai.io.label_tiles.CLASSIC_TIFF_BYTES", 10_000)
    write_label_tiles(path, LABELS, highest_id=7_000)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
    assert np.array_equal(io.read_labels(path), LABELS)


def test_a_large_image_is_written_in_tiles_and_never_read_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(label_tiff, "_WHOLE_PX", 10_000)
    stored = Stored(LABELS)
    found = Segmentation(stored, measure_objects(LABELS), "a.tif", pixel_size_um=(0.5, 0.5))
    path = write_exports(tmp_path, found, "labels")["labels"]
    assert stored.largest <= 512 * 1092
    assert np.array_equal(io.read_labels(path), LABELS)
    assert io.read(path).pixel_size_um == (0.5, 0.5)


@pytest.mark.parametrize(
    ("labels", "how", "says"),
    [
        (np.zeros((0, 3), int), {"highest_id": 0}, "not empty"),
        (np.array([[2**32]]), {"highest_id": 2**32}, "above 4294967295"),
        (np.array([[70_000]]), {"highest_id": 7}, "id 70000 in labels whose highest id is 7"),
        (np.array([[1]]), {"highest_id": 1, "pixel_size_um": (0, 1)}, "two positive lengths"),
    ],
    ids=["no pixels", "beyond 32 bits", "ids that wrap", "no pixel size"],
)
def test_what_cannot_be_stored_is_refused_and_leaves_no_file(path, labels, how, says):
    with pytest.raises(ValueError, match=says):
        write_label_tiles(path, labels, **how)
    assert list(path.parent.iterdir()) == []
