"""Evaluation of a trained network, compared with numbers counted by hand and with `cellseg evaluate`."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.engines import IterationEvents

from cellseg_monai import io
from cellseg_monai.decoding import BoundaryWatershed, Postprocessing
from cellseg_monai.evaluation import evaluate_folders, find_protocol, read_results, write_results
from cellseg_monai.training import EvaluationReport

SETTINGS = Postprocessing(BoundaryWatershed(), threshold=0.45, min_area_px=2)

# "pred" is the mask after the threshold alone, "objects" the result of the whole post-processing.
CROWDED = {
    "pred": [1, 1, 1, 1, 1, 0, 1, 1],
    "label": [1, 1, 1, 1, 1, 1, 0, 0],
    # 3/4 of the first object is found, the second exactly; the third is false.
    "objects": [1, 1, 1, 0, 2, 2, 3, 3],
    "truth": [5, 5, 5, 5, 70_000, 70_000, 0, 0],
}
EMPTY = {name: [0, 0, 0, 0] for name in CROWDED}


def evaluate(report: EvaluationReport, *images: dict, image_path: str = "/data/images/{}.tif") -> None:
    items = [{name: torch.tensor([[values]]) for name, values in image.items()} for image in images]

    def step(engine: Engine, number: int) -> list:
        engine.state.batch = [
            {"image_path": image_path.format(number), "label_path": f"/data/labels/{number}.tif"},
        ]
        engine.state.output = {"image": torch.zeros(1, 1, 100, 100)}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return [items[number]]

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    engine.state.device = torch.device("cpu")
    report.attach(engine)
    engine.run(range(len(images)))


def read_evaluation(folder: Path) -> tuple[dict, list[dict]]:
    with open(folder / "evaluation" / "cellseg_images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return json.loads((folder / "evaluation" / "cellseg_summary.json").read_text()), rows


def test_scores_match_numbers_counted_by_hand(tmp_path: Path) -> None:
    evaluate(EvaluationReport(str(tmp_path), SETTINGS, {"section": "test"}), CROWDED, EMPTY)
    summary, rows = read_evaluation(tmp_path)
    values = {name: score["value"] for name, score in summary["scores"].items()}

    assert [row["image_file"] for row in rows] == ["/data/images/0.tif", "/data/images/1.tif"]
    assert [row["truth"] for row in rows] == ["/data/labels/0.tif", "/data/labels/1.tif"]
    texts = ("image", "image_file", "truth", "prediction")
    crowded = {name: float(value) for name, value in rows[0].items() if name not in texts}
    assert [crowded[name] for name in ("tp_px", "fp_px", "fn_px", "tn_px")] == [5, 2, 1, 0]
    assert crowded["dice"] == pytest.approx(10 / 13, abs=1e-6)
    assert (crowded["true_objects"], crowded["predicted_objects"]) == (2, 3)
    # There are 2 true and 3 predicted objects. Up to an IoU of 0.75 two of them match, F1 4/5; above it one, F1 2/5.
    assert [crowded[f"tp_0.{hundredths}"] for hundredths in range(50, 100, 5)] == [2] * 6 + [1] * 4
    assert crowded["f1"] == pytest.approx((6 * 4 / 5 + 4 * 2 / 5) / 10, abs=1e-6)
    assert (float(rows[1]["dice"]), float(rows[1]["f1"]), rows[1]["true_objects"]) == (1, 1, "0")

    assert (summary["about"]["section"], summary["images"], summary["about"]["threshold"]) == ("test", 2, 0.45)
    assert summary["about"]["postprocess"]["method"] == "boundary_watershed"
    assert summary["about"]["megapixels_per_second"] > 0
    assert "before holes are filled" in summary["foreground"]
    assert (summary["true_objects"], summary["predicted_objects"]) == (2, 3)
    assert (values["dice_mean"], values["dice_pooled"]) == (pytest.approx((10 / 13 + 1) / 2), pytest.approx(10 / 13))
    assert (values["f1_50_mean"], values["f1_50_pooled"]) == (pytest.approx(0.9), pytest.approx(0.8))
    assert (values["f1_90_mean"], values["f1_90_pooled"]) == (pytest.approx(0.7), pytest.approx(0.4))
    assert (values["f1_mean"], values["f1_pooled"]) == (pytest.approx((0.64 + 1) / 2), pytest.approx(0.64))
    # (3/4 + 1) / (2 + 1/2) for the first image, and 1 for an empty prediction of an empty image.
    quality = values["panoptic_quality_mean"], values["panoptic_quality_pooled"]
    assert quality == (pytest.approx((0.7 + 1) / 2), pytest.approx(0.7))
    low, high = summary["scores"]["f1_pooled"]["interval_95"]
    assert (low, high) == (pytest.approx(0.64), 1)


def test_a_single_image_has_no_interval(tmp_path: Path) -> None:
    evaluate(EvaluationReport(str(tmp_path), SETTINGS), CROWDED)
    assert {score["interval_95"] for score in read_evaluation(tmp_path)[0]["scores"].values()} == {None}


def test_the_files_match_those_of_an_evaluation_of_the_label_images(tmp_path: Path) -> None:
    """File names, columns, keys and object scores are the same."""
    evaluate(EvaluationReport(str(tmp_path), SETTINGS), CROWDED, EMPTY)
    for number, image in enumerate((CROWDED, EMPTY)):
        io.write_labels(tmp_path / "truth" / f"{number}.tif", np.array([image["truth"]]))
    again = evaluate_folders(tmp_path / "truth", tmp_path / "evaluation" / "labels", find_protocol("cellseg"))
    files = write_results(again, tmp_path / "again" / "evaluation")
    assert sorted(path.name for path in files) == sorted(
        path.name for path in (tmp_path / "evaluation").iterdir() if path.is_file()
    )
    (ours, our_rows), (theirs, their_rows) = read_evaluation(tmp_path), read_evaluation(tmp_path / "again")
    assert list(our_rows[0]) == list(their_rows[0])
    assert list(ours) == list(theirs)
    objects = ("f1_pooled", "f1_mean", "f1_50_pooled", "f1_75_mean", "f1_90_mean", "panoptic_quality_pooled")
    assert [ours["scores"][name] for name in objects] == [theirs["scores"][name] for name in objects]
    assert theirs["foreground"] == "pixels whose predicted label is above 0"


def test_counts_can_be_read_back(tmp_path: Path) -> None:
    evaluate(EvaluationReport(str(tmp_path), SETTINGS), CROWDED, EMPTY)
    evaluation = read_results(tmp_path / "evaluation", find_protocol("cellseg"))
    assert evaluation.about["threshold"] == 0.45
    mask, objects, truth = (np.array([CROWDED[name]]) for name in ("pred", "objects", "truth"))
    assert evaluation.counts[0] == evaluation.protocol.count(objects, truth, mask > 0)
    for image, expected in zip(evaluation.images, (CROWDED, EMPTY), strict=True):
        assert io.read_labels(image.files.prediction).tolist() == [expected["objects"]]


def test_images_with_the_same_name_get_separate_label_images_and_earlier_ones_are_removed(tmp_path: Path) -> None:
    report = EvaluationReport(str(tmp_path), SETTINGS)
    io.write_labels(tmp_path / "evaluation" / "labels" / "earlier.tif", np.array([[1]]))
    evaluate(report, CROWDED, EMPTY, image_path="/data/{}/cell.tif")
    assert [row["image"] for row in read_evaluation(tmp_path)[1]] == ["cell", "cell_2"]
    assert sorted(path.name for path in (tmp_path / "evaluation" / "labels").iterdir()) == ["cell.tif", "cell_2.tif"]
