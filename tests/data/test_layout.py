"""The folder convention: images/ and labels/ of the same stem."""

from __future__ import annotations

import pytest

from cellseg_monai.data import find_pairs, list_images
from cellseg_monai.data.layout import stem_of
from cellseg_monai.errors import DatasetError


def test_pairs_match_by_stem_whatever_the_suffix_and_its_case(tmp_path, save_image, save_label):
    save_image(tmp_path / "images" / "b.TIFF")
    save_image(tmp_path / "images" / "a.ome.tif")
    save_label(tmp_path / "labels" / "a.tif")
    save_label(tmp_path / "labels" / "b.tif")
    pairs = [(image.name, label.name) for image, label in find_pairs(tmp_path)]
    assert pairs == [("a.ome.tif", "a.tif"), ("b.TIFF", "b.tif")]


def test_hidden_files_folders_and_notes_are_no_images(tmp_path, save_image):
    save_image(tmp_path / "b.tif")
    save_image(tmp_path / "a.tif")
    save_image(tmp_path / "._a.tif")
    (tmp_path / "Thumbs.db").write_text("x")
    (tmp_path / "folder.tif").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.tif", "b.tif"]


def test_all_stray_files_are_named_at_once(tmp_path, save_image, save_label):
    save_image(tmp_path / "images" / "lone_image.tif")
    save_label(tmp_path / "labels" / "lone_label.tif")
    for suffix in ("tif", "tiff"):
        save_image(tmp_path / "images" / f"twice.{suffix}")
    save_label(tmp_path / "labels" / "twice.tif")
    with pytest.raises(DatasetError) as caught:
        find_pairs(tmp_path)
    for place in ("images/lone_image.tif", "labels/lone_label.tif", "images/twice.tiff"):
        assert place in str(caught.value)


def test_a_folder_without_images_says_what_was_expected(tmp_path):
    with pytest.raises(DatasetError, match="expected images/ and labels/"):
        find_pairs(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        list_images(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.tif", "a"), ("a.b.png", "a.b"), ("a.OME.TIFF", "a"), ("plate 1.ome.b.tif", "plate 1.ome.b")],
)
def test_stem(name, stem):
    assert stem_of(name) == stem
