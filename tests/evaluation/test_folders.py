"""Folders of label images, as other programs leave them: comparing, writing and reading, and the faults."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import (
    PROTOCOLS,
    evaluate_folders,
    find_protocol,
    format_results,
    read_results,
    read_summary,
    summary,
    write_results,
)
from cellseg_monai.io import write_labels

TRUTH = np.zeros((12, 12), np.int32)
TRUTH[2:6, 2:6], TRUTH[2:6, 7:10], TRUTH[8:10, 3:9] = 4, 5, 900
PREDICTION = np.where(TRUTH == 5, 0, TRUTH)  # one of three is missed
BLANK = np.zeros_like(TRUTH)


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Four images in four formats: one object missed, all found, empty, and one false object."""
    truth, predicted = tmp_path / "truth", tmp_path / "predicted"
    for name, labels in (("a", TRUTH), ("b", TRUTH), ("c", BLANK), ("d", BLANK)):
        write_labels(truth / f"{name}.tif", labels)
    predicted.mkdir()
    np.save(predicted / "a_seg.npy", {"masks": PREDICTION.astype(np.uint16), "filename": "a.tif"}, allow_pickle=True)
    Image.fromarray(TRUTH.astype(np.uint16)).save(predicted / "b_cp_masks.png")
    tifffile.imwrite(predicted / "c-labelled.tif", BLANK.astype(np.uint8))
    np.save(predicted / "d.npy", np.where(TRUTH == 4, 1, 0).astype(np.uint8))
    return truth, predicted


def test_images_of_any_format_are_compared(folders):
    done = evaluate_folders(*folders, find_protocol("dsb2018"))
    assert [image.files.name for image in done.images] == ["a", "b", "c", "d"]
    assert not done.faults
    values = [done.protocol.value(done.protocol.scores[0], [counts]) for counts in done.counts]
    assert values == pytest.approx([2 / 3, 1, 1, 0])
    pooled = evaluate_folders(*folders, find_protocol("stardist"))
    assert pooled.protocol.results(pooled.counts)["accuracy"].value == pytest.approx(5 / 7)


def test_the_files_are_plain_csv_json_and_png(folders, tmp_path):
    done = evaluate_folders(*folders, find_protocol("dsb2018"))
    table, report, figure = write_results(done, tmp_path / "out")
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [row["image"] for row in rows] == ["a", "b", "c", "d"]
    assert [Path(rows[0][side]).name for side in ("truth", "prediction")] == ["a.tif", "a_seg.npy"]
    assert [rows[0][column] for column in ("true_objects", "predicted_objects", "tp_0.50", "tp_0.95")] == list("3222")
    assert [float(row["mean_average_precision"]) for row in rows] == pytest.approx([2 / 3, 1, 1, 0], abs=1e-6)
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found == summary(done)
    score = found["scores"]["mean_average_precision"]
    assert score["value"] == pytest.approx(2 / 3)
    assert 0 <= score["interval_95"][0] < score["value"] < score["interval_95"][1] <= 1
    assert (found["images"], found["true_objects"], found["predicted_objects"]) == (4, 6, 6)
    assert found["iou"]["f1_pooled"] == pytest.approx([10 / 12] * 10)
    assert found["iou"]["matches"] == "greater than the threshold"
    assert "doi:10.1038/s41592-019-0612-7" in found["source"]
    assert picture(figure).shape[1] > 600


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "ctc_seg"])
def test_what_was_written_can_be_read_back(name, folders, tmp_path):
    (folders[0] / "d.tif").unlink()
    Image.fromarray(((TRUTH > 0) * 255).astype(np.uint8)).save(folders[1] / "b_cp_masks.png")
    done = replace(evaluate_folders(*folders, PROTOCOLS[name]), about={"section": "test"})
    assert done.faults
    write_results(done, tmp_path / "out")
    again = read_results(tmp_path / "out", PROTOCOLS[name])
    assert (again.images, again.faults, again.warnings) == (done.images, done.faults, done.warnings)
    assert summary(again) == summary(done) == read_summary(tmp_path / "out", PROTOCOLS[name])


def test_files_that_are_not_an_evaluation_are_refused(folders, tmp_path):
    protocol = PROTOCOLS["cellseg"]
    with pytest.raises(DatasetError, match=r"cellseg_summary\.json not found; run the evaluation first"):
        read_results(tmp_path, protocol)
    table, report, _ = write_results(evaluate_folders(*folders, protocol), tmp_path)
    table.write_text(table.read_text(encoding="utf-8").replace("tp_px", "pixels"), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"cannot read .*cellseg_images\.csv .*KeyError: 'tp_px'"):
        read_results(tmp_path, protocol)
    report.write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"cannot read .*cellseg_summary\.json"):
        read_results(tmp_path, protocol)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_written(name, folders, tmp_path):
    done = evaluate_folders(*folders, PROTOCOLS[name])
    files = write_results(done, tmp_path / "out")
    assert [file.name for file in files] == [f"{name}_images.csv", f"{name}_summary.json", f"{name}_f1.png"]
    values = {score: result.value for score, result in done.protocol.results(done.counts).items()}
    assert {score: found["value"] for score, found in summary(done)["scores"].items()} == values


def test_protocols_share_a_folder_and_replace_their_own(folders, tmp_path):
    for name in ("coco", "stardist", "coco"):
        write_results(evaluate_folders(*folders, PROTOCOLS[name]), tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_the_figure_shows_both_curves_and_those_of_another_protocol_differ(folders, tmp_path):
    figures = [write_results(evaluate_folders(*folders, PROTOCOLS[name]), tmp_path)[2] for name in ("coco", "stardist")]
    pictures = [picture(path) for path in figures]
    for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
        assert (pictures[0] == colour).all(axis=-1).any()
    assert not np.array_equal(*pictures)


def test_a_single_image_is_written_without_intervals(folders, tmp_path):
    truth, predicted = folders
    for name in "bcd":
        (truth / f"{name}.tif").unlink()
    done = evaluate_folders(truth, predicted, find_protocol("ctc_seg"))
    _, report, _ = write_results(done, tmp_path / "out")
    assert json.loads(report.read_text(encoding="utf-8"))["scores"]["seg"]["interval_95"] is None
    assert math.isnan(done.protocol.results(done.counts)["seg"].low)
    assert "interval" not in format_results(summary(done))


def broken(path: Path, how: str) -> None:
    path.unlink()
    if how == "fractions":
        np.save(path.with_name("d.npy"), np.full((12, 12), 0.5))
    elif how == "smaller":
        np.save(path.with_name("d.npy"), BLANK[:6])
    elif how == "negative":
        np.save(path.with_name("d.npy"), BLANK - 1)
    elif how == "colours":
        Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(path.with_name("d.png"))
    elif how == "damaged":
        path.with_name("d.tif").write_bytes(b"II*\0not a tiff")
    elif how == "empty":
        path.with_name("d.tif").touch()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("fractions", "which is a fraction, expected integers; save the labels as integers"),
        (
            "smaller",
            r"got a prediction of shape (6, 12) and a true label image of shape (12, 12), expected equal shapes",
        ),
        ("negative", "got id -1 in the prediction"),
        ("colours", "a label image with 3 channels"),
        ("damaged", "d.tif: the file cannot be decoded"),
        ("empty", "the file is empty"),
    ],
)
def test_a_pair_that_cannot_be_compared_is_reported_and_the_rest_evaluated(folders, how, says):
    broken(folders[1] / "d.npy", how)
    done = evaluate_folders(*folders, find_protocol("dsb2018"))
    assert [image.files.name for image in done.images] == ["a", "b", "c"]
    (fault,) = done.faults
    assert str(fault).startswith(f"d: not-compared: {folders[0].as_posix()}/d.tif and {folders[1].as_posix()}/d.")
    assert says in fault.message
    assert "\n" not in str(fault)
    assert summary(done)["not_evaluated"] == [str(fault)]


@pytest.mark.parametrize("values", [1, 255], ids=["0 and 1", "0 and 255"])
def test_a_mask_in_place_of_objects_gets_a_warning(folders, values):
    """Compared as a single object it scores next to nothing, and the user would not know why."""
    Image.fromarray(((TRUTH > 0) * values).astype(np.uint8)).save(folders[1] / "b_cp_masks.png")
    done = evaluate_folders(*folders, find_protocol("stardist"))
    assert [image.files.name for image in done.images] == ["a", "b", "c", "d"]
    assert not done.faults
    (warning,) = done.warnings
    assert (warning.kind, warning.severity) == ("binary-mask", "warning")
    assert warning.place.endswith("b_cp_masks.png")
    assert f"3 separate objects all have the id {values}" in warning.message
    assert summary(done)["warnings"] == [str(warning)]
    assert summary(done)["not_evaluated"] == []


def test_a_true_mask_gets_no_warning_if_the_protocol_cuts_it_into_pieces(folders):
    write_labels(folders[0] / "a.tif", (TRUTH > 0).astype(np.int32))
    assert not evaluate_folders(*folders, find_protocol("bbbc039_mean_f1")).warnings
    (warning,) = evaluate_folders(*folders, find_protocol("dsb2018")).warnings
    assert warning.place.endswith("truth/a.tif")


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_prediction_that_is_the_truth_is_not_scored(folders, link):
    truth, predicted = folders
    (predicted / "a_seg.npy").unlink()
    getattr(predicted / "a.tif", link)(truth / "a.tif")
    done = evaluate_folders(truth, predicted, find_protocol("dsb2018"))
    assert [(fault.place, fault.kind) for fault in done.faults] == [("a", "not-compared")]
    assert "both are the same file" in done.faults[0].message


def test_files_without_partner_are_in_the_summary(folders):
    (folders[0] / "a.tif").unlink()
    (folders[1] / "b_cp_masks.png").unlink()
    found = summary(evaluate_folders(*folders, find_protocol("coco")))
    assert found["images"] == 2
    named = sorted(line.rpartition("/")[2] for line in found["not_evaluated"])
    assert named[0].startswith("a_seg.npy: no-truth: ")
    assert named[1].startswith("b.tif: no-prediction: ")


def test_images_in_the_folder_of_their_masks_need_a_suffix(tmp_path):
    for name, labels in (("a.tif", np.full((12, 12), 17)), ("a_cp_masks.tif", PREDICTION), ("a_masks.tif", TRUTH)):
        write_labels(tmp_path / name, labels)
    with pytest.raises(DatasetError, match="the same files; pass two folders"):
        evaluate_folders(tmp_path, tmp_path, find_protocol("stardist"))
    suffixes = {"truth_suffix": "a_masks", "prediction_suffix": "_cp_masks"}
    done = evaluate_folders(tmp_path, tmp_path, find_protocol("stardist"), **suffixes)
    assert done.protocol.results(done.counts)["recall"].value == pytest.approx(2 / 3)


def test_no_pair_at_all_is_an_error_that_lists_why(folders):
    for path in folders[1].iterdir():
        path.rename(path.with_name("x" + path.name))
    with pytest.raises(DatasetError, match="no prediction can be compared with its ground truth") as caught:
        evaluate_folders(*folders, find_protocol("stardist"))
    assert str(caught.value).count("no-truth") == str(caught.value).count("no-prediction") == 4
