"""The report of an evaluation, against a table written by hand."""

import csv
import json
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.engines import IterationEvents

from cellseg_monai.decoding import BoundaryWatershed, Postprocessing
from cellseg_monai.training import EvaluationReport

SETTINGS = Postprocessing(BoundaryWatershed(), threshold=0.45, min_area_px=2)

# The masks are those of the threshold alone, the objects those of the whole post-processing.
CROWDED = {
    "pred": [1, 1, 1, 1, 1, 0, 1, 1],
    "label": [1, 1, 1, 1, 1, 1, 0, 0],
    # The first object is found to 3/4, the second exactly, the third is false.
    "objects": [1, 1, 1, 0, 2, 2, 3, 3],
    "truth": [5, 5, 5, 5, 70_000, 70_000, 0, 0],
}
EMPTY = {name: [0, 0, 0, 0] for name in CROWDED}


def evaluate(report: EvaluationReport, *images: dict) -> None:
    items = [{name: torch.tensor([[values]]) for name, values in image.items()} for image in images]

    def step(engine: Engine, number: int) -> list:
        engine.state.batch = [{"image_path": f"/data/{number}.tif"}]
        engine.state.output = {"image": torch.zeros(1, 1, 100, 100)}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return [items[number]]

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    engine.state.device = torch.device("cpu")
    report.attach(engine)
    engine.run(range(len(images)))


def written(folder: Path) -> tuple[dict, list[dict]]:
    with open(folder / "evaluation" / "images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return json.loads((folder / "evaluation" / "summary.json").read_text()), rows


def test_the_tables_are_those_counted_by_hand(tmp_path: Path) -> None:
    evaluate(EvaluationReport(str(tmp_path), SETTINGS, {"section": "test"}), CROWDED, EMPTY)
    summary, rows = written(tmp_path)

    assert [row["image"] for row in rows] == ["/data/0.tif", "/data/1.tif"]
    crowded = {name: float(value) for name, value in rows[0].items() if name != "image"}
    assert [crowded[name] for name in ("tp", "fp", "fn", "tn")] == [5, 2, 1, 0]
    assert crowded["dice"] == pytest.approx(10 / 13, abs=1e-6)
    assert (crowded["true_objects"], crowded["predicted_objects"]) == (2, 3)
    # Up to an IoU of 0.75 two match of two and three, beyond one: 4/5 and 2/5.
    for hundredths in range(50, 100, 5):
        expected = 4 / 5 if hundredths <= 75 else 2 / 5
        assert crowded[f"f1_{hundredths}"] == pytest.approx(expected, abs=1e-6)
    assert crowded["f1"] == pytest.approx((6 * 4 / 5 + 4 * 2 / 5) / 10, abs=1e-6)
    assert (float(rows[1]["dice"]), float(rows[1]["f1"]), rows[1]["true_objects"]) == (1, 1, "0")

    assert (summary["section"], summary["images"], summary["threshold"]) == ("test", 2, 0.45)
    assert summary["postprocess"]["method"] == "boundary_watershed"
    assert summary["foreground"]["dice"] == {"mean": pytest.approx((10 / 13 + 1) / 2), "pooled": pytest.approx(10 / 13)}
    objects = summary["objects"]
    assert (objects["true"], objects["predicted"]) == (2, 3)
    assert objects["f1_50"] == {"mean": pytest.approx(0.9), "pooled": pytest.approx(0.8)}
    assert objects["f1_90"] == {"mean": pytest.approx(0.7), "pooled": pytest.approx(0.4)}
    assert objects["f1"] == {"mean": pytest.approx((0.64 + 1) / 2), "pooled": pytest.approx(0.64)}
    # (3/4 + 1) / (2 + 1/2), and 1 for nothing where nothing is.
    assert objects["panoptic_quality"] == {"mean": pytest.approx((0.7 + 1) / 2), "pooled": pytest.approx(0.7)}
    low, high = objects["f1_pooled_interval"]
    assert (low, high) == (pytest.approx(0.64), 1)
    assert summary["megapixels_per_second"] > 0


def test_one_image_has_no_interval(tmp_path: Path) -> None:
    evaluate(EvaluationReport(str(tmp_path), SETTINGS), CROWDED)
    assert written(tmp_path)[0]["objects"]["f1_pooled_interval"] is None
