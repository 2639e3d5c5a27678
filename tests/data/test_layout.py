"""The folder convention: images/ and labels/ of the same stem."""

from __future__ import annotations

import pytest

from cellseg_monai.data import list_images
from cellseg_monai.data.layout import scan
from cellseg_monai.errors import DatasetError


def test_pairs_match_by_stem_with_any_suffix(tmp_path, save_image, save_label):
    save_image(tmp_path / "images" / "b.TIFF")
    save_image(tmp_path / "images" / "a.ome.tif")
    save_label(tmp_path / "labels" / "a.tif")
    save_label(tmp_path / "labels" / "b.tif")
    layout = scan(tmp_path)
    assert {stem: path.name for stem, path in layout.images.items()} == {"a": "a.ome.tif", "b": "b.TIFF"}
    assert list(layout.labels) == ["a", "b"]
    assert layout.faults() == []


def test_hidden_files_folders_and_notes_are_not_images(tmp_path, save_image):
    save_image(tmp_path / "b.tif")
    save_image(tmp_path / "a.tif")
    save_image(tmp_path / "._a.tif")
    (tmp_path / "Thumbs.db").write_text("x")
    (tmp_path / "folder.tif").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.tif", "b.tif"]


def test_all_files_without_partner_are_reported_together(tmp_path, save_image, save_label):
    save_image(tmp_path / "images" / "lone_image.tif")
    save_label(tmp_path / "labels" / "lone_label.tif")
    for suffix in ("tif", "tiff"):
        save_image(tmp_path / "images" / f"twice.{suffix}")
    save_label(tmp_path / "labels" / "twice.tif")
    assert [(fault.place, fault.kind) for fault in scan(tmp_path).faults()] == [
        ("images/lone_image.tif", "missing-partner"),
        ("images/twice.tiff", "repeated-stem"),
        ("labels/lone_label.tif", "missing-partner"),
    ]


def test_missing_folders_count_as_empty_in_a_data_set_and_are_refused_otherwise(tmp_path):
    assert not scan(tmp_path).images
    with pytest.raises(DatasetError, match="no such folder"):
        list_images(tmp_path / "nowhere")
