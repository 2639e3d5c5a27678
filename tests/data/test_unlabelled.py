"""Images without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellseg_monai.data import check_readable, split_dataset, unlabelled_items, write_datalist
from cellseg_monai.errors import DatasetError


def stems(items: list[dict[str, str]]) -> list[str]:
    return sorted(Path(item["image"]).stem for item in items)


def test_a_tenth_of_a_plain_folder_is_set_aside(tmp_path, save_image):
    for number in range(20):
        save_image(tmp_path / f"{number:02}.tif")
    training, held_out = (unlabelled_items(tmp_path, section) for section in ("training", "validation"))
    assert (len(training), len(held_out)) == (18, 2)
    assert stems([*training, *held_out]) == [f"{number:02}" for number in range(20)]
    assert unlabelled_items(tmp_path, "validation") == held_out
    assert unlabelled_items(tmp_path, "validation", seed=1) != held_out


def test_images_for_testing_are_used_only_if_they_have_no_label(make_dataset):
    folder = make_dataset("abcdefgh")
    sections = split_dataset(folder)
    (labelled, *_) = sections["test"]
    bare = {key: value for key, value in sections["training"].pop().items() if key != "label"}
    write_datalist(folder / "datalist.json", {**sections, "test": [*sections["test"], bare]})
    used = stems([*unlabelled_items(folder, "training"), *unlabelled_items(folder, "validation")])
    assert Path(bare["image"]).stem in used
    assert Path(labelled["image"]).stem not in used


def test_a_single_image_is_not_enough(tmp_path, save_image):
    save_image(tmp_path / "a.tif")
    with pytest.raises(DatasetError, match=r"got 1 image\(s\) to train on and 0 to set aside, expected some of both"):
        unlabelled_items(tmp_path, "training")


def test_images_of_a_group_stay_together(make_dataset):
    folder = make_dataset("abcdefgh")
    items = [{**item, "group": f"{number % 2}"} for number, item in enumerate(split_dataset(folder)["training"])]
    write_datalist(folder / "datalist.json", {"training": items, "validation": [], "test": []})
    training, held_out = (unlabelled_items(folder, section) for section in ("training", "validation"))
    assert not {item["group"] for item in training} & {item["group"] for item in held_out}
    assert len(training) + len(held_out) == len(items)


def test_images_without_labels_beside_a_data_set_are_used(make_dataset, save_image):
    folder = make_dataset("abcdefgh")
    save_image(folder / "unlabelled" / "z.tif")
    assert "z" in stems([*unlabelled_items(folder, "training"), *unlabelled_items(folder, "validation")])


def test_the_images_of_a_data_set_are_not_a_plain_folder(make_dataset):
    folder = make_dataset("abcdefgh")
    with pytest.raises(DatasetError, match="this folder belongs to a data set, whose images for testing must be left"):
        unlabelled_items(folder / "images", "training")


def test_a_misspelt_section_is_refused(tmp_path):
    with pytest.raises(ValueError, match="got section='test', expected training or validation"):
        unlabelled_items(tmp_path, "test")


def test_all_images_that_cannot_be_used_are_listed_together(tmp_path, save_image):
    save_image(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(b"no picture")
    tifffile.imwrite(
        tmp_path / "c.tif", np.zeros((4, 8, 8), np.uint16), metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    items = [*unlabelled_items(tmp_path, "training"), *unlabelled_items(tmp_path, "validation")]
    with pytest.raises(DatasetError) as caught:
        check_readable(items, tmp_path)
    text = str(caught.value)
    assert "b.tif: unreadable: " in text
    assert "c.tif: stack: got a stack (4 Z" in text
    assert "a.tif" not in text
