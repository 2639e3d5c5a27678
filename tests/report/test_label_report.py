"""The page of an evaluation as a browser reads it: self-contained, worst images first, every name escaped."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import PROTOCOLS, evaluate_folders, find_protocol
from cellseg_monai.io import write_labels
from cellseg_monai.report import LabelReport, label_report, write_report
from cellseg_monai.report.compared_image import find_images
from tests.report.pages import Reader, check_page

NASTY = "<script>alert(1)&"
LABELS = np.zeros((40, 60), np.int32)
LABELS[4:14, 4:14], LABELS[4:14, 14:24], LABELS[24:34, 30:50], LABELS[24:34, 4:14] = 2, 3, 7, 900


def write_image(folder: Path, name: str, prediction: np.ndarray, truth: np.ndarray = LABELS) -> None:
    np.save(folder / "images" / f"{name}.npy", (truth > 0).astype(np.uint8) * 200)
    write_labels(folder / "truth" / f"{name}.tif", truth)
    write_labels(folder / "pred" / f"{name}_cp_masks.tif", prediction)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images with all objects found, none found, one missed and two merged, and no objects at all."""
    (tmp_path / "images").mkdir()
    write_image(tmp_path, "all", LABELS)
    write_image(tmp_path, "none", np.zeros_like(LABELS))
    write_image(tmp_path, NASTY, np.where(LABELS == 900, 0, np.where(LABELS == 3, 2, LABELS)))
    write_image(tmp_path, "empty", np.zeros_like(LABELS), np.zeros_like(LABELS))
    return tmp_path


def written(folder: Path, protocol: str = "bbbc039_mean_f1", **options: object) -> tuple[Reader, dict, LabelReport]:
    evaluation = evaluate_folders(folder / "truth", folder / "pred", find_protocol(protocol))
    report = write_report(evaluation, folder / "images", folder / "out" / "report.html", **options)
    return check_page(report.page), json.loads(report.numbers.read_text(encoding="utf-8")), report


def table_names(page: Reader) -> list[str]:
    return [
        str(attributes["data-value"])
        for tag, attributes in page.tags
        if attributes.get("scope") == "row" and tag == "th"
    ]


def test_every_image_has_its_layers_and_the_table_links_to_it(folder: Path) -> None:
    page, _, report = written(folder)
    assert not report.faults
    assert len(page.values("src", "img")) == 4 * 3 + 2  # an image and two layers each, and two charts
    assert {"#image-1", "#image-2", "#image-3", "#image-4"} <= set(page.values("href"))


def test_the_worst_images_come_first_and_names_are_escaped(folder: Path) -> None:
    page, numbers, _ = written(folder)
    assert [row["image"] for row in numbers["worst_first"]] == ["none", NASTY, "all", "empty"]
    assert [name for name in table_names(page) if name in ("none", NASTY, "all", "empty")] == [
        "none",
        NASTY,
        "all",
        "empty",
    ]
    assert page.figures() == ["image-1", "image-2", "image-3", "image-4"]
    assert NASTY in page.text


def test_mistakes_are_counted_and_described(folder: Path) -> None:
    page, numbers, _ = written(folder)
    mistakes = {row["image"]: row for row in numbers["worst_first"]}
    assert {kind: mistakes[NASTY][kind] for kind in ("found", "missed", "merged", "split", "invented", "loose")} == {
        "found": 1,
        "missed": 1,
        "merged": 1,
        "split": 0,
        "invented": 0,
        "loose": 0,
    }
    assert numbers["mistakes_at_iou_0.5"]["missed"] == 5
    assert "4 true and 2 predicted objects: 1 found, 1 missed, 1 merged." in page.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_has_a_report(protocol: str, folder: Path) -> None:
    page, numbers, report = written(folder, protocol)
    assert not report.faults
    assert numbers["protocol"] == protocol
    assert len(page.figures()) == 4


def test_missing_and_mismatched_images_are_reported_and_their_outlines_still_shown(folder: Path) -> None:
    (folder / "images" / "all.npy").unlink()
    np.save(folder / "images" / "none.npy", np.zeros((5, 60), np.uint8))
    (folder / "images" / "empty.npy").write_bytes(b"\x93NUMPY broken")
    page, _, report = written(folder)
    assert [(fault.place, fault.kind) for fault in report.faults] == [
        ("all", "no-image"),
        ("empty", "no-image"),
        ("none", "no-image"),
    ]
    assert "got an image of shape (5, 60), expected (40, 60) as in its label images" in report.faults[2].message
    assert len(page.figures()) == 4
    assert page.text.count("The microscopy image is missing or cannot be shown.") == 3
    assert "except for 3 that were compared" in page.text


def test_the_page_lists_pairs_that_cannot_be_compared(folder: Path) -> None:
    (folder / "pred" / "all_cp_masks.tif").unlink()
    write_labels(folder / "pred" / "none_cp_masks.tif", LABELS[:8])
    page, numbers, report = written(folder)
    assert [fault.kind for fault in report.faults] == ["no-prediction", "not-compared"]
    assert all(str(fault) in page.text for fault in report.faults)
    assert len(numbers["worst_first"]) == 2


def test_the_worst_typical_and_best_of_many_images_are_shown_and_the_number_of_the_rest_is_stated(folder: Path) -> None:
    for index in range(12):
        write_image(folder, f"more_{index:02}", LABELS)
    page, _, _ = written(folder, overlays=1)
    assert page.figures() == [f"image-{rank}" for rank in (1, 8, 9, 10, 14, 15, 16)]
    assert "7 of 16 images are shown" in page.text
    page, _, _ = written(folder, overlays=0)
    assert page.figures() == []
    assert "0 of 16 images are shown" in page.text


def test_a_page_has_a_limited_size_and_names_the_images_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, _, report = written(folder)
    full_size = report.page.stat().st_size
    monkeypatch.setattr(label_report, "_ROOM_BYTES", 16_000)
    page, _, report = written(folder)
    reduced_size = report.page.stat().st_size
    assert len(page.figures()) == 4
    assert reduced_size < full_size
    monkeypatch.setattr(label_report, "_ROOM_BYTES", 100)
    page, _, _ = written(folder)
    assert page.figures() == []
    assert "4 more image(s) did not fit on a page of at most 30 MB: none" in page.text


def test_a_large_image_is_shown_smaller_with_crops(folder: Path) -> None:
    truth = np.zeros((1600, 2000), np.int32)
    truth[100:120, 100:120], truth[1500:1520, 1900:1920] = 1, 2
    write_image(folder, "large", np.zeros_like(truth), truth)
    page, _, _ = written(folder)
    assert page.text.count("384 px square at row") == 2
    boxes = [attributes["style"] for _, attributes in page.tags if attributes.get("class") == "stack"]
    assert "--wide: 2000; --high: 1600" in boxes
    assert boxes.count("--wide: 384; --high: 384") == 2


def test_a_run_is_shown_if_one_is_passed(folder: Path) -> None:
    page, _, report = written(folder, run_dir=folder)
    assert len(report.notes) == 2
    assert all(note in page.text for note in report.notes)
    places = [attributes.get("id") for _, attributes in written(folder)[0].tags]
    assert "run" not in places


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("report", {}, "expected an HTML file; choose a name such as report.html"),
        ("report.json", {}, "expected an HTML file"),
        ("report.html", {"overlays": -1}, "got overlays=-1, expected a whole number of at least 0"),
        ("report.html", {"overlays": "many"}, "got overlays='many'"),
        ("report.html", {"run_dir": "nowhere"}, "nowhere: no such folder; pass the output_dir of a training"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_is_written(folder, output, options, message) -> None:
    evaluation = evaluate_folders(folder / "truth", folder / "pred", find_protocol("coco"))
    with pytest.raises(ValueError, match=re.escape(message)):
        write_report(evaluation, folder / "images", folder / "out" / output, **options)
    assert not (folder / "out").exists()


def test_images_in_the_folder_of_their_masks_are_not_confused_with_them(tmp_path: Path) -> None:
    for name in ("a.tif", "a_cp_masks.tif", "a_masks.tif"):
        write_labels(tmp_path / name, LABELS)
    suffixes = {"truth_suffix": "a_masks", "prediction_suffix": "_cp_masks"}
    evaluation = evaluate_folders(tmp_path, tmp_path, find_protocol("coco"), **suffixes)
    images, faults = find_images([image.files for image in evaluation.images], tmp_path)
    assert {name: path.name for name, path in images.items()} == {"a": "a.tif"}
    assert not faults


def test_two_images_with_the_same_name_are_a_fault(folder: Path) -> None:
    write_labels(folder / "images" / "all.tif", LABELS)
    _, _, report = written(folder)
    assert [fault.kind for fault in report.faults] == ["no-image"]
    assert "2 images in" in report.faults[0].message


def test_a_missing_image_folder_is_an_error(folder: Path) -> None:
    evaluation = evaluate_folders(folder / "truth", folder / "pred", find_protocol("coco"))
    with pytest.raises(DatasetError, match="no such folder"):
        write_report(evaluation, folder / "nowhere", folder / "report.html")
