"""The page of an evaluated training, from nothing but its folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import (
    EvaluatedImage,
    Evaluation,
    FilePair,
    find_protocol,
    read_training,
    summary,
    write_results,
)
from cellseg_monai.io import write_labels
from cellseg_monai.report import write_report
from tests.report.pages import Reader, check_page

LABELS = np.zeros((40, 60), np.int32)
LABELS[4:14, 4:14], LABELS[4:14, 14:24], LABELS[24:34, 30:50] = 2, 3, 7


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A training whose evaluation found all objects of one image, and two of three of another with a larger mask."""
    data, run = tmp_path / "data", tmp_path / "runs" / "mine"
    protocol, images = find_protocol("cellseg"), []
    for name, objects in (("all", LABELS), ("missed", np.where(LABELS == 7, 0, LABELS))):
        files = FilePair(
            name, data / "labels" / f"{name}.tif", run / "evaluation" / "labels" / f"{name}.tif", data / f"{name}.npy"
        )
        write_labels(files.truth, LABELS)
        write_labels(files.prediction, objects)
        np.save(data / f"{name}.npy", (LABELS > 0).astype(np.uint8) * 200)
        images.append(EvaluatedImage(files, protocol.count(objects, LABELS, LABELS > 0)))
    about = {
        "checkpoint": str(run / "model.pt"),
        "section": "test",
        "postprocess": {"threshold": 0.45, "min_area_px": 2},
    }
    evaluation = Evaluation(protocol, images, about=about, foreground="pixels above the threshold")
    write_results(evaluation, run / "evaluation")
    return run


def page_of(run: Path, evaluation: Evaluation) -> tuple[Reader, dict, list]:
    written = write_report(evaluation, None, run.parent / "out" / "report.html", run_dir=run)
    return check_page(written.page), json.loads(written.numbers.read_text(encoding="utf-8")), list(written.faults)


def test_the_page_has_the_evaluated_numbers_and_outlines_over_the_images(run: Path) -> None:
    evaluation = read_training(run)
    page, numbers, faults = page_of(run, evaluation)
    assert faults == []
    in_files = json.loads((run / "evaluation" / "cellseg_summary.json").read_text(encoding="utf-8"))
    assert {name: numbers[name] for name in in_files} == in_files
    # The mask that was evaluated has all pixels, though an object is missing.
    assert numbers["scores"]["dice_pooled"]["value"] == 1
    assert [(row["image"], row["missed"]) for row in numbers["worst_first"]] == [("missed", 1), ("all", 0)]
    assert len(page.figures()) == 2
    assert "The microscopy image is missing" not in page.text
    assert "runs/mine against data/labels" in page.text
    assert "section: test" in page.text
    assert "postprocess: threshold 0.45, min_area_px 2" in page.text
    assert "Predicted foreground: pixels above the threshold." in page.text


def test_a_run_that_was_moved_still_finds_its_label_images(run: Path) -> None:
    moved = run.with_name("moved")
    shutil.move(run, moved)
    _, numbers, faults = page_of(moved, read_training(moved))
    assert faults == []
    assert len(numbers["worst_first"]) == 2


def test_another_protocol_compares_the_label_images_anew(run: Path) -> None:
    evaluation = read_training(run, find_protocol("stardist"))
    assert summary(evaluation)["scores"]["recall"]["value"] == pytest.approx(5 / 6)
    assert evaluation.about["section"] == "test"


def test_images_that_are_gone_are_reported_and_their_outlines_shown(run: Path) -> None:
    (run.parents[1] / "data" / "all.npy").unlink()
    page, _, faults = page_of(run, read_training(run))
    assert [(fault.place, fault.kind) for fault in faults] == [("all", "no-image")]
    assert len(page.figures()) == 2


def test_label_images_that_are_gone_are_an_error(run: Path) -> None:
    (run / "evaluation" / "labels" / "all.tif").unlink()
    with pytest.raises(DatasetError, match=r"1 label image\(s\) of the evaluation no longer exist, .*all\.tif"):
        read_training(run)


def test_a_training_that_was_not_evaluated_is_an_error(run: Path) -> None:
    shutil.rmtree(run / "evaluation")
    with pytest.raises(DatasetError, match=r"no subfolder named evaluation; first evaluate the run"):
        read_training(run)
