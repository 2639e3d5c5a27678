"""Files that together are one image are read once."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellseg_monai.inference import ImageFile, find_images
from cellseg_monai.io import image_files
from tests.io.files import write_micromanager
from tests.io.test_tiff_sets import NAMES, PLANES, ome, uuid, write, write_set


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path)
    np.save("alone.npy", PLANES[0])
    tifffile.imwrite("plain.tif", PLANES[0], metadata=None)
    write(tmp_path / "single.ome.tif", PLANES[0], ome(["single.ome.tif"], own=uuid(4)))
    return tmp_path


def keys(*inputs):
    images, faults = find_images(inputs)
    assert faults == []
    return [image.key for image in images]


@pytest.mark.usefixtures("folder")
class TestSets:
    def test_a_folder_with_a_set_gives_it_once_under_the_first_name(self, caplog):
        assert keys(".") == ["a", "alone", "plain", "single"]
        (record,) = caplog.records
        assert record.message == (
            "3 files are one image (a.ome.tif, b.ome.tif, c.ome.tif), because they name each other; it is read once, "
            "as a.ome.tif"
        )

    def test_files_named_one_by_one_are_one_image_too(self, caplog):
        assert keys("c.ome.tif", "plain.tif", "b.ome.tif") == ["c", "plain"]
        assert "2 files are one image (c.ome.tif, b.ome.tif)" in caplog.text

    @pytest.mark.parametrize("name", NAMES)
    def test_one_file_alone_gives_no_message(self, name, caplog):
        assert keys(name, "plain.tif") == [name[0], "plain"]
        assert not caplog.records

    def test_sets_in_several_folders_are_not_mixed(self, folder):
        (folder / "plate").mkdir()
        write_set(folder / "plate")
        assert keys("**/*.ome.tif") == ["a", "plate/a", "single"]

    def test_a_set_with_a_missing_file_is_found_once(self, folder):
        (folder / "b.ome.tif").unlink()
        assert keys("*.ome.tif") == ["a", "single"]

    def test_the_digest_covers_all_files(self, folder):
        (image,), _ = find_images(["a.ome.tif"])
        before = image.sha256
        write(folder / "c.ome.tif", PLANES[2] + 1, ome(NAMES, own=uuid(2)))
        (again,), _ = find_images(["a.ome.tif"])
        assert again.sha256 != before


def test_a_set_that_is_named_by_one_file_only_is_found_once(tmp_path, monkeypatch):
    """As with a master file, whose others hold no metadata that name it."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("a.tif", PLANES[0], metadata=None)
    write(tmp_path / "master.ome.tif", PLANES[1], ome(["a.tif", "master.ome.tif"], own=uuid(1)))
    assert keys("master.ome.tif", "a.tif") == ["master"]
    assert keys("a.tif", "master.ome.tif") == ["master"]  # a.tif alone gives only one of the planes


def test_a_stack_of_micromanager_is_one_file_by_any_path(tmp_path, monkeypatch):
    write_micromanager(tmp_path / "a.tif", np.zeros((2, 1, 4, 6), np.uint16))
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    digests = set()
    for path in (Path("a.tif"), tmp_path / "a.tif", tmp_path / "link" / "a.tif"):
        assert image_files(path) == (path,)
        digests.add(ImageFile(path).sha256)
    assert len(digests) == 1
