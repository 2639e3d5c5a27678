"""Tests for every bundle that finds cells. A bundle joins with a subclass that gives its name:

class TestUnet(BundleContract):
    name = "unet"
"""

import csv
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from cellseg_monai import io
from cellseg_monai.bundle import scout_loader
from tests.contracts.tiny_dataset import write_tiny_dataset
from tests.contracts.workflows import ROOT, WorkflowContract, rows
from tests.scouted_bundles import save_scout

__all__ = ["ROOT", "BundleContract", "rows", "write_tiny_dataset"]


class BundleContract(WorkflowContract):
    small: ClassVar[dict] = {"roi_size": [64, 64], "batch_size": 4, "crops_per_image": 2, "epochs": 3}
    curves = ("dice", "iou")
    inferred = "segmentation"
    input_shape = (1, 1, 64, 64)

    @pytest.mark.parametrize(
        ("channels", "size"),
        [(3, (1, 1)), (1, (31, 977)), (1, (513, 511))],
        ids=["one pixel in colour", "a strip", "odd sides"],
    )
    def test_network_keeps_the_size_of(self, root: Path, channels: int, size: tuple[int, int]) -> None:
        config = ConfigParser(json.loads((root / "configs" / "inference.json").read_text()))
        config["network_def#in_channels"] = channels
        network = config.get_parsed_content("network_def").eval()
        with torch.no_grad():
            logits = network(torch.rand(1, channels, *size))
        assert logits.shape == (1, config.get_parsed_content("classes"), *size)
        assert torch.isfinite(logits).all()

    def test_evaluation_gives_scores_of_each_image_and_of_all(self, root: Path, dataset: Path, trained: Path) -> None:
        workflow = self.workflow(root, "evaluate", dataset, trained)
        workflow.initialize()
        workflow.run()
        summary = json.loads((trained / "evaluation" / "cellseg_summary.json").read_text())
        scores = {name: score["value"] for name, score in summary["scores"].items()}
        metrics = workflow.parser.get_parsed_content("evaluator").state.metrics
        assert summary["images"] == 2
        assert scores["dice_mean"] == pytest.approx(metrics["dice"], abs=1e-6)
        assert scores["iou_mean"] == pytest.approx(metrics["iou"], abs=1e-6)
        assert scores["f1_pooled"] == pytest.approx(metrics["f1"], abs=1e-6)
        assert summary["true_objects"] == 6
        assert len((trained / "evaluation" / "cellseg_images.csv").read_text().splitlines()) == 3
        assert len(list((trained / "evaluation" / "labels").glob("*.tif"))) == 2

    def test_inference_writes_labels_of_the_size_of_the_image(
        self, root: Path, dataset: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_scout(tmp_path / "model.pt")
        monkeypatch.setattr(scout_loader, "find_checkpoint", lambda *_: str(tmp_path / "model.pt"))
        workflow = self.workflow(root, "inference", dataset, trained)
        workflow.initialize()
        workflow.run()
        paths = sorted((trained / "segmentation").glob("*.tif"))
        assert [path.stem for path in paths] == ["11", "12"]
        assert all(io.read_labels(path).shape == (72, 80) for path in paths)
        assert len(list((trained / "segmentation").glob("*_overlay.png"))) == 2

    @pytest.mark.slow
    def test_each_variant_trains_and_its_checkpoint_names_it(self, root: Path, dataset: Path, tmp_path: Path) -> None:
        for path in sorted((root / "configs" / "variants").glob("*.json")):
            output_dir = tmp_path / path.stem
            small = {"bundle_root": str(root), "dataset_dir": str(dataset), "output_dir": str(output_dir)}
            small |= {**self.small, "epochs": 1, "crops_per_image": 1, "steps_per_epoch": 2}
            # A variant with another network may not have the arguments of the small one.
            small |= {} if "network_def" in json.loads(path.read_text()) else self.small_network()
            workflow = ConfigWorkflow(
                [str(root / "configs" / "train.json"), str(path)], logging_file=False, workflow_type="train", **small
            )
            workflow.initialize()
            workflow.run()
            assert np.isfinite(rows(output_dir)[0]["loss"])
            for config in ("calibrate", "evaluate"):
                workflow = self.workflow(root, config, dataset, output_dir, variants=[path.stem])
                workflow.initialize()
                workflow.run()
            assert workflow.parser.get_parsed_content("trained").variants == (path.stem,)
            fitted = json.loads((output_dir / "postprocess.json").read_text())["threshold"]
            summary = json.loads((output_dir / "evaluation" / "cellseg_summary.json").read_text())
            assert (summary["about"]["threshold"], summary["about"]["variants"]) == (fitted, [path.stem])
            # Pixels are counted at the size of the image file, whatever the scale of the network.
            with open(output_dir / "evaluation" / "cellseg_images.csv", newline="") as file:
                pixels = [
                    sum(int(row[name]) for name in ("tp_px", "fp_px", "fn_px", "tn_px")) for row in csv.DictReader(file)
                ]
            assert pixels == [72 * 80] * 2
            workflow = self.workflow(root, "evaluate", dataset, output_dir, variants=["another"])
            workflow.initialize()
            with pytest.raises(RuntimeError) as caught:
                workflow.run()
            cause = caught.value.__cause__ or caught.value
            assert f"was trained with variant {path.stem}, expected variant another" in str(cause)
