"""The items for training, calibration and inference."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellseg_monai.data import calibration_items, image_items, section_items, split_dataset, write_datalist
from cellseg_monai.errors import DatasetError
from tests.io.test_tiff_sets import write_set


def stems(items: list[dict[str, str]]) -> list[str]:
    return [Path(item["image"]).stem for item in items]


def test_the_sections_divide_the_images(make_dataset):
    folder = make_dataset("abcdefghij")
    by_section = [stems(section_items(folder, section)) for section in ("training", "validation", "test")]
    assert sorted(stem for section in by_section for stem in section) == list("abcdefghij")
    assert by_section[0] == sorted(by_section[0])


def test_a_relative_folder_gives_absolute_paths(make_dataset, monkeypatch):
    folder = make_dataset("abcd")
    monkeypatch.chdir(folder.parent)
    assert section_items("set", "training") == section_items(folder, "training")


def test_a_folder_without_a_data_set_is_refused_with_what_was_expected(tmp_path):
    with pytest.raises(DatasetError, match=r"expected datalist\.json.*index\.csv.*images/ with labels/"):
        section_items(tmp_path, "training")


def test_an_empty_section_is_refused_with_a_remedy(make_dataset):
    folder = make_dataset("ab")
    with pytest.raises(DatasetError, match=r"no items for test \(1 for training, 1 for validation, 0 for test"):
        section_items(folder, "test")
    with pytest.raises(DatasetError, match='section "all" for every image'):
        image_items(folder)
    assert stems(image_items(folder, "all")) == ["a", "b"]


def test_an_unknown_section_is_refused(make_dataset):
    with pytest.raises(ValueError, match="expected one of training, validation, test"):
        section_items(make_dataset("ab"), "val")
    with pytest.raises(ValueError, match="test, all"):
        image_items(make_dataset("ab"), "val")


def test_training_needs_labels_and_inference_does_not(make_dataset):
    folder = make_dataset("abcdefgh")
    without = stems(section_items(folder, "training"))[:2]
    for stem in without:
        (folder / "labels" / f"{stem}.tif").unlink()
    with pytest.raises(DatasetError, match=rf"2 of \d have no label|2 of \d images .*{without[0]}"):
        section_items(folder, "training")
    items = section_items(folder, "training", labelled=False)
    assert [stem for stem, item in zip(stems(items), items, strict=True) if "label" not in item] == without


def test_the_split_stays_the_same_when_labels_go_missing(make_dataset):
    folder = make_dataset("abcdefgh")
    before = stems(image_items(folder, "test"))
    (folder / "labels" / f"{before[0]}.tif").unlink()
    assert stems(image_items(folder, "test")) == before


def test_inference_takes_the_test_section_of_a_data_set_or_all_of_it(make_dataset):
    folder = make_dataset("abcdefgh")
    assert image_items(folder) == section_items(folder, "test")
    assert stems(image_items(folder, "all")) == list("abcdefgh")
    assert all("label" in item for item in image_items(folder, "all"))
    write_datalist(folder / "datalist.json", {**split_dataset(folder), "test": []})
    assert len(image_items(folder, "all")) == 7


@pytest.mark.parametrize("within", ["", "images"], ids=["a plain folder", "only images/"])
def test_a_folder_of_images_gives_all_of_them_sorted(tmp_path, save_image, within):
    for name in ("b.tif", "a.tif"):
        save_image(tmp_path / within / name)
    items = image_items(tmp_path)
    assert stems(items) == ["a", "b"]
    assert items[0] == {"image": str(tmp_path / within / "a.tif"), "group": "a"}


def test_files_that_are_one_image_are_listed_once(tmp_path, caplog):
    write_set(tmp_path)
    assert [item["group"] for item in image_items(tmp_path)] == ["a"]
    assert "3 files are one image" in caplog.text


def test_a_folder_without_images_is_refused(tmp_path, make_dataset):
    with pytest.raises(DatasetError, match="no images in this folder or in its images/"):
        image_items(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        image_items(tmp_path / "nowhere")
    folder = make_dataset("ab")
    for image in (folder / "images").iterdir():
        image.unlink()
    with pytest.raises(DatasetError, match="no images found"):
        image_items(folder, "all")


def test_two_images_of_one_stem_are_refused_as_their_results_would_collide(make_dataset, save_image):
    folder = make_dataset("ab")
    save_image(folder / "images" / "a.tiff")
    with pytest.raises(DatasetError, match="repeated-stem"):
        image_items(folder, "all")


def test_test_images_are_refused_for_calibration(make_dataset):
    folder = make_dataset("abcdefgh")
    with pytest.raises(DatasetError, match=r"got the section test, .* use validation"):
        calibration_items(folder, "test")
    assert calibration_items(folder) == section_items(folder, "validation")
    assert calibration_items(folder, "training") == section_items(folder, "training")
    with pytest.raises(ValueError, match="expected one of training, validation, test"):
        calibration_items(folder, "val")


def test_all_images_are_for_calibration_if_none_is_declared_a_test_image(make_dataset):
    folder = make_dataset("abcdefgh")
    assert stems(calibration_items(folder, "all")) == list("abcdefgh")
    # A table about something else declares no test images either.
    (folder / "index.csv").write_text("name,microscope\na,x\n")
    assert stems(calibration_items(folder, "all")) == list("abcdefgh")


def test_declared_test_images_are_left_out_of_all(make_dataset, tmp_path):
    folder = make_dataset("abcdefgh")
    (folder / "index.csv").write_text(
        "image_id,split\n" + "".join(f"{stem},{'test' if stem in 'ag' else 'train'}\n" for stem in "abcdefgh")
    )
    assert stems(calibration_items(folder, "all")) == list("bcdefh")
    sections = {"training": [], "validation": [], "test": []}
    for stem in "abcdefgh":
        item = {"image": str(folder / "images" / f"{stem}.tif"), "label": str(folder / "labels" / f"{stem}.tif")}
        sections["test" if stem in "bc" else "training"].append(item)
    write_datalist(tmp_path / "list.json", sections)
    assert sorted(stems(calibration_items(folder, "all", tmp_path / "list.json"))) == list("adefgh")
    write_datalist(folder / "datalist.json", {"test": [item for items in sections.values() for item in items]})
    with pytest.raises(DatasetError, match="every image is held back for testing"):
        calibration_items(folder, "all")


def test_images_without_labels_are_reported_before_calibration(make_dataset, save_image, tmp_path):
    folder = make_dataset("abcd")
    (folder / "labels" / "b.tif").unlink()
    with pytest.raises(DatasetError, match=r"1 of 4 images for calibration have no label: .*b\.tif"):
        calibration_items(folder, "all")
    save_image(tmp_path / "plain" / "x.tif")
    with pytest.raises(DatasetError, match=r"1 of 1 images for calibration have no label: x\.tif"):
        calibration_items(tmp_path / "plain", "all")
