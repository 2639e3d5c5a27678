"""Each fault of a data set alone, and all of them together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from cellseg_monai.data import check_dataset, split_dataset, write_datalist
from cellseg_monai.data.lint import check_labels
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, format_faults

BINARY = np.array(
    [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0, 0],
    ]
)
GAP = np.where(np.arange(48).reshape(6, 8) < 4, 1, np.where(np.arange(48).reshape(6, 8) > 40, 4, 0))
FRAGMENTS = np.array([[1, 1, 1, 0, 0, 2, 2, 2], [1, 1, 1, 0, 0, 2, 2, 2], [0] * 8, [0] * 8, [1] + [0] * 7, [0] * 8])
CLASSES = np.vstack([BINARY, np.zeros((1, 8), int), 2 * BINARY])


def kinds(faults: list[Fault]) -> dict[str, tuple[str, str]]:
    return {fault.place: (fault.kind, fault.severity) for fault in faults}


def write_sections(folder: Path, **sections: str) -> None:
    """Write a datalist; each section is a string of one-letter stems."""
    content = {
        section: [{"image": f"images/{stem}.tif", "label": f"labels/{stem}.tif"} for stem in stems]
        for section, stems in sections.items()
    }
    (folder / "datalist.json").write_text(json.dumps(content))


def test_a_clean_set_has_no_faults(make_dataset):
    folder = make_dataset("abcdefgh")
    assert check_dataset(folder) == []
    write_datalist(folder / "datalist.json", split_dataset(folder))
    assert check_dataset(folder) == []
    assert format_faults([]) == "no faults found"


def test_missing_partners(make_dataset):
    folder = make_dataset("abc")
    (folder / "images" / "a.tif").unlink()
    (folder / "labels" / "b.tif").unlink()
    assert kinds(check_dataset(folder)) == {
        "images/b.tif": ("missing-partner", "error"),
        "labels/a.tif": ("missing-partner", "error"),
    }


def test_a_missing_label_is_a_warning_if_the_list_does_not_need_it(make_dataset):
    folder = make_dataset("abcd")
    write_sections(folder, training="a", test="b")
    content = json.loads((folder / "datalist.json").read_text())
    del content["test"][0]["label"]
    content["validation"] = [{"image": "images/d.tif"}]
    (folder / "datalist.json").write_text(json.dumps(content))
    for stem in "bcd":
        (folder / "labels" / f"{stem}.tif").unlink()
    assert kinds(check_dataset(folder)) == {
        "images/b.tif": ("missing-partner", "warning"),  # for test: can be segmented, not scored
        "images/c.tif": ("missing-partner", "warning"),  # in no section
        "images/d.tif": ("missing-partner", "error"),  # for validation
    }


def test_a_label_that_only_the_list_names_is_a_partner(make_dataset):
    folder = make_dataset("ab")
    (folder / "labels" / "a.tif").rename(folder / "labels" / "a_mask.tif")
    assert len(check_dataset(folder)) == 2
    content = {
        "training": [{"image": "images/a.tif", "label": "labels/a_mask.tif"}],
        "test": [{"image": "images/b.tif", "label": "labels/b.tif"}],
    }
    (folder / "datalist.json").write_text(json.dumps(content))
    assert check_dataset(folder) == []


def test_listed_images_outside_the_folders_are_checked_too(make_dataset, tmp_path, save_image, save_label):
    folder = make_dataset("ab")
    save_image(tmp_path / "more" / "x.tif", 70)
    save_image(tmp_path / "more" / "y.tif", 71)
    save_label(tmp_path / "more" / "x_label.tif", BINARY)
    content = {"training": [{"image": "x.tif", "label": "x_label.tif"}, {"image": "y.tif"}]}
    listed = tmp_path / "more" / "list.json"
    listed.write_text(json.dumps(content))
    assert kinds(check_dataset(folder, listed)) == {
        (tmp_path / "more" / "x_label.tif").as_posix(): ("binary-mask", "error"),
        (tmp_path / "more" / "y.tif").as_posix(): ("missing-partner", "error"),
    }


def test_a_label_of_another_shape_is_an_error(make_dataset, save_label):
    folder = make_dataset("ab")
    save_label(folder / "labels" / "a.tif", np.ones((8, 6), int))
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("labels/a.tif", "shape-mismatch", "error")
    assert "the label is 8 × 6 (height × width), but its image is 6 × 8" in fault.message


def test_float_labels_are_distinguished_from_unreadable_ones(make_dataset):
    folder = make_dataset("abc")
    tifffile.imwrite(folder / "labels" / "a.tif", np.full((6, 8), 0.5, np.float32))
    (folder / "labels" / "b.tif").write_bytes(b"II*\0 this is no longer a TIFF")
    (folder / "images" / "c.tif").write_bytes(b"")
    faults = check_dataset(folder)
    assert kinds(faults) == {
        "images/c.tif": ("unreadable", "error"),
        "labels/a.tif": ("float-labels", "error"),
        "labels/b.tif": ("unreadable", "error"),
    }
    assert "float32" in faults[1].message


@pytest.mark.parametrize(
    ("labels", "kind", "severity", "part"),
    [
        pytest.param(BINARY, "binary-mask", "error", "3 separate objects all have the id 1", id="mask of 1"),
        pytest.param(BINARY * 255, "binary-mask", "error", "id 255", id="mask of 255"),
        pytest.param(GAP, "id-gap", "warning", "first gap at 2", id="ids 1 and 4"),
        pytest.param(GAP * 2, "id-gap", "warning", "first gap at 1", id="ids 2 and 8"),
        pytest.param(FRAGMENTS, "fragments", "warning", "id 1 (6 + 1 px)", id="a stray pixel"),
        pytest.param(CLASSES, "class-mask", "error", "6 separate pieces share the ids 1, 2", id="mask of classes"),
        pytest.param(-BINARY, "negative-ids", "error", "got the id -1", id="negative"),
    ],
)
def test_faults_within_one_label(labels, kind, severity, part):
    (fault,) = check_labels(labels, "labels/a.tif")
    assert (fault.place, fault.kind, fault.severity) == ("labels/a.tif", kind, severity)
    assert part in fault.message


def test_valid_labels_have_no_faults():
    diagonal = np.array([[1, 0, 0], [0, 1, 0], [2, 2, 0]])
    for labels in (diagonal, np.zeros((3, 3), int), np.ones((2, 2), int)):
        assert check_labels(labels, "a") == []


def test_one_object_with_a_stray_pixel_is_not_a_mask():
    labels = np.zeros((12, 12), int)
    labels[:8, :8], labels[10, 10] = 1, 1
    assert [fault.kind for fault in check_labels(labels, "a")] == ["fragments"]


def test_a_class_of_one_object_or_broken_objects_are_not_a_mask_of_classes():
    one = np.vstack([BINARY, np.zeros((1, 8), int), 2 * np.ones((2, 8), int)])
    halves = np.vstack([FRAGMENTS, 3 * (FRAGMENTS > 0)])
    many = np.repeat(np.arange(1, 10), 2)[None] * np.array([[1], [0], [1], [0], [1]])
    for labels in (one, halves, many):
        assert {fault.kind for fault in check_labels(labels, "a")} == {"fragments"}


def test_many_broken_ids_are_counted_rather_than_listed():
    labels = np.repeat(np.arange(1, 10), 2)[None] * np.array([[1], [0], [1]])
    (fault,) = check_labels(labels, "a")
    assert "id 5 (2 + 2 px) and 4 more ids" in fault.message


def test_copies_across_sections_are_errors_in_any_format(make_dataset):
    folder = make_dataset("abc")
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    tifffile.imwrite(folder / "images" / "a.tif", pixels.astype(np.uint16), photometric="minisblack")
    (folder / "images" / "c.tif").unlink()
    PillowImage.fromarray(pixels).save(folder / "images" / "c.png")
    content = {
        "training": [{"image": "images/a.tif", "label": "labels/a.tif"}],
        "test": [{"image": "images/c.png", "label": "labels/c.tif"}],
    }
    (folder / "datalist.json").write_text(json.dumps(content))
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("images/c.png", "duplicate", "error")
    assert "images/a.tif, which is for training, while this image is for test" in fault.message


def test_copies_are_warnings_within_a_section_and_errors_without_sections(make_dataset, save_image):
    folder = make_dataset("abc")
    save_image(folder / "images" / "b.tif", 0)  # a copy of a
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("images/b.tif", "duplicate", "error")
    write_sections(folder, training="ab", test="c")
    assert kinds(check_dataset(folder)) == {"images/b.tif": ("duplicate", "warning")}


def test_two_blank_images_are_not_copies(make_dataset):
    folder = make_dataset("abc")
    for stem in "ab":
        tifffile.imwrite(folder / "images" / f"{stem}.tif", np.zeros((6, 8), np.uint8))
    assert check_dataset(folder) == []


def test_a_group_or_an_image_in_two_sections_is_an_error(make_dataset):
    folder = make_dataset("abc")
    content = {
        "training": [{"image": "images/a.tif", "label": "labels/a.tif", "group": "p"}],
        "validation": [{"image": "images/b.tif", "label": "labels/b.tif", "group": "p"}],
        "test": [{"image": "images/a.tif", "label": "labels/a.tif", "group": "q"}],
    }
    (folder / "datalist.json").write_text(json.dumps(content))
    faults = check_dataset(folder)
    assert [(fault.place, fault.kind) for fault in faults] == [
        ("datalist.json", "duplicate"),
        ("datalist.json", "group-straddles"),
    ]


@pytest.mark.parametrize("text", ["{", "[]"], ids=["not JSON", "a list"])
def test_a_malformed_list_does_not_hide_the_other_faults(make_dataset, text):
    folder = make_dataset("ab")
    (folder / "labels" / "a.tif").unlink()
    (folder / "datalist.json").write_text(text)
    kinds_by_place = {(fault.place, fault.kind) for fault in check_dataset(folder)}
    assert kinds_by_place == {("datalist.json", "datalist"), ("images/a.tif", "missing-partner")}


def test_all_faults_are_reported_together_sorted_by_place(make_dataset, save_image, save_label):
    folder = make_dataset("abcdefghijk")
    images, labels = folder / "images", folder / "labels"
    (labels / "a.tif").unlink()
    (images / "b.tif").unlink()
    save_label(labels / "c.tif", np.ones((5, 8), int))
    save_label(labels / "d.tif", BINARY)
    save_label(labels / "e.tif", GAP)
    save_label(labels / "f.tif", FRAGMENTS)
    tifffile.imwrite(labels / "g.tif", np.full((6, 8), 0.5))
    (images / "h.tif").write_bytes(b"nonsense")
    save_image(images / "j.tif", 8)  # a copy of i
    save_image(images / "k.tiff", 99)
    write_sections(folder, training="acdefghi", validation="j", test="kz")
    faults = check_dataset(folder)
    assert faults == sorted(faults)
    assert [(fault.place, fault.kind) for fault in faults] == [
        ("datalist.json", "missing-file"),
        ("datalist.json", "missing-file"),
        ("datalist.json", "missing-file"),
        ("images/a.tif", "missing-partner"),
        ("images/h.tif", "unreadable"),
        ("images/j.tif", "duplicate"),
        ("images/k.tiff", "repeated-stem"),
        ("labels/b.tif", "missing-partner"),
        ("labels/c.tif", "shape-mismatch"),
        ("labels/d.tif", "binary-mask"),
        ("labels/e.tif", "id-gap"),
        ("labels/f.tif", "fragments"),
        ("labels/g.tif", "float-labels"),
    ]
    text = format_faults(faults)
    assert len(text.splitlines()) == len(faults) + 1
    assert text.endswith("10 errors, 3 warnings in 11 places")


def test_an_empty_folder_is_reported_and_a_missing_one_refused(tmp_path):
    assert [fault.kind for fault in check_dataset(tmp_path)] == ["empty"]
    with pytest.raises(DatasetError, match="no such folder"):
        check_dataset(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["bbbc039", "usiigaci_t98g_phase", "bitdepth_nucseg_dapi", "misc_small"])
def test_real_data_sets_have_only_the_broken_objects_that_their_index_counts(real_data, name):
    folder = real_data(name)
    with (folder / "index.csv").open(newline="") as file:
        broken = {row["image_id"] for row in csv.DictReader(file) if int(row.get("multi_component_objects") or 0)}
    faults = check_dataset(folder)
    assert {fault.kind for fault in faults} <= {"fragments"}
    assert {Path(fault.place).stem for fault in faults} == broken
