"""The scout: its workflows on images of two kinds, and what it writes."""

import csv
import json
from pathlib import Path
from typing import ClassVar

import pytest

from cellseg_monai.bundle import find_postprocess
from cellseg_monai.scouting import KINDS, Certainty
from tests.contracts.tiny_dataset import write_tiny_dataset
from tests.contracts.workflows import WorkflowContract


class TestScout(WorkflowContract):
    name = "scout"
    small: ClassVar[dict] = {"batch_size": 4, "steps_per_epoch": 3, "epochs": 3, "val_interval": 1}
    small_channels = (4, 8)
    curves = ("right", "kind", "diameter_error", "polarity")
    inferred = "scouting"
    input_shape = (1, 3, 160, 160)

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = write_tiny_dataset(tmp_path_factory.mktemp("tiny"))
        sections = json.loads((folder / "datalist.json").read_text())
        for items in sections.values():
            for number, item in enumerate(items):
                item["tags"] = {"kind": "phase_cells" if number % 2 else "fluorescence_nuclei", "dataset": "squares"}
        (folder / "datalist.json").write_text(json.dumps(sections))
        return folder

    def test_evaluation_gives_scores_of_each_image_and_of_all(self, root: Path, dataset: Path, trained: Path) -> None:
        workflow = self.workflow(root, "evaluate", dataset, trained)
        workflow.initialize()
        workflow.run()
        summary = json.loads((trained / "evaluation" / "scout_summary.json").read_text())
        metrics = workflow.parser.get_parsed_content("evaluator").state.metrics
        scores = {name: score["value"] for name, score in summary["scores"].items()}
        assert scores["kind_accuracy"] == pytest.approx(metrics["kind"], abs=1e-4)
        assert scores["diameter_error_median"] == pytest.approx(metrics["diameter_error"], abs=1e-4)
        assert scores["polarity_accuracy"] == pytest.approx(metrics["polarity"], abs=1e-4)
        assert scores["kind_and_diameter_accuracy"] == pytest.approx(metrics["right"], abs=1e-4)
        assert summary["datasets"] == {"squares": summary["scores"]}
        assert summary["confusion"].keys() == {"fluorescence_nuclei", "phase_cells"}
        with open(trained / "evaluation" / "scout_images.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [Path(row["image"]).stem for row in rows] == ["11", "12"]
        assert all(float(row["low_px"]) < float(row["seen_diameter_px"]) < float(row["high_px"]) for row in rows)

    def test_calibration_writes_the_certainty_that_other_workflows_read(
        self, root: Path, dataset: Path, trained: Path, tmp_path: Path
    ) -> None:
        weights = tmp_path / "model.pt"
        weights.write_bytes((trained / "model.pt").read_bytes())
        workflow = self.workflow(root, "calibrate", dataset, tmp_path, checkpoint=str(weights))
        workflow.initialize()
        workflow.run()
        assert find_postprocess(str(weights), str(root)) == str(tmp_path / "postprocess.json")
        # Three images are too few to fit anything.
        assert Certainty.from_json(tmp_path / "postprocess.json") == Certainty()

    def test_inference_needs_no_labels_and_says_what_images_show(
        self, root: Path, dataset: Path, trained: Path, tmp_path: Path
    ) -> None:
        checkpoint = str(trained / "model.pt")
        workflow = self.workflow(root, "inference", dataset / "images", tmp_path, checkpoint=checkpoint)
        workflow.initialize()
        workflow.run()
        seen = json.loads((tmp_path / "scouting" / "sightings.json").read_text())
        assert len(seen) == 13
        assert all(image["kind"] in KINDS and image["diameter_px"] > 0 for image in seen)
        assert sum(seen[0][f"probability_{kind}"] for kind in KINDS) == pytest.approx(1, abs=1e-3)
