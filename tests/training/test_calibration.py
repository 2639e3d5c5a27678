import csv
import json
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine

from cellseg_monai.errors import CheckpointError
from cellseg_monai.labels import Postprocessing
from cellseg_monai.training import ThresholdCalibration


def test_it_writes_the_threshold_of_the_highest_mean_dice_beside_the_weights(tmp_path: Path) -> None:
    # The first image is right from 0.1 to 0.3, the second from 0.3 on: 0.3 alone suits both.
    images = [
        {"pred": torch.tensor([[[0.1, 0.31]]]), "label": torch.tensor([[[0.0, 1.0]]])},
        {"pred": torch.tensor([[[0.3, 0.9]]]), "label": torch.tensor([[[0.0, 1.0]]])},
    ]
    engine = Engine(lambda engine, batch: batch)
    settings = Postprocessing(threshold=0.5, min_area_px=7)
    weights, output_dir = tmp_path / "weights", tmp_path / "output"
    weights.mkdir()
    ThresholdCalibration(weights / "model.pt", str(output_dir), settings).attach(engine)
    engine.run([images])
    written = json.loads((weights / "postprocess.json").read_text())
    assert written == {"threshold": 0.3, "min_area_px": 7, "fill_holes": True}
    with open(output_dir / "calibration" / "threshold_curve.csv", newline="") as file:
        curve = {float(row["threshold"]): row for row in csv.DictReader(file)}
    assert len(curve) == 19
    # At 0.05 both images are foreground throughout: Dice 2/3, IoU 1/2, and so pooled.
    assert [float(value) for value in curve[0.05].values()] == [0.05, 2 / 3, 0.5, 2 / 3, 0.5]
    # At 0.5 the first is empty: Dice 0 and 1, and pooled 2 TP / (2 TP + FN) = 2/3.
    assert [float(value) for value in curve[0.5].values()] == [0.5, 0.5, 0.5, 2 / 3, 0.5]


def test_a_folder_that_cannot_be_written_is_refused_before_any_image(tmp_path: Path) -> None:
    engine = Engine(lambda engine, batch: pytest.fail("an image was looked at"))
    ThresholdCalibration(tmp_path / "gone" / "model.pt", str(tmp_path), Postprocessing()).attach(engine)
    with pytest.raises(CheckpointError, match=r"gone/postprocess\.json cannot be written.*--checkpoint PATH"):
        engine.run([0])
