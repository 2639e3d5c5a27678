"""The script that reproduces the results on LIVECell, on images in its layout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).parents[2]
TYPES = ("A172", "BT474")


def write_livecell(raw: Path) -> None:
    """Write squares of two cell types in the layout of LIVECell: training, validation and test in separate wells."""
    rng = np.random.default_rng(0)
    for section, wells in {"train": "ABC", "val": "D", "test": "E"}.items():
        images, annotations = [], []
        for kind, cell_type in enumerate(TYPES):
            for well in wells:
                name = f"{cell_type}_Phase_{well}7_1_00d00h00m_1.tif"
                number = len(images) + 1
                pixels = rng.normal(100, 5, (96, 96))
                for top, left in ((10, 10), (10, 50), (50, 30)):
                    side = 20 + 6 * kind
                    pixels[top : top + side, left : left + side] += 60 * (1 + kind)
                    corners = [left, top, left + side, top, left + side, top + side, left, top + side]
                    annotation = {"image_id": number, "category_id": 1, "segmentation": [corners], "iscrowd": 0}
                    annotations.append({"id": len(annotations) + 1, **annotation})
                folder = raw / "images" / f"livecell_{'test' if section == 'test' else 'train_val'}_images"
                folder.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(folder / name, pixels.astype(np.uint8))
                images.append({"id": number, "file_name": name, "height": 96, "width": 96})
        content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
        (raw / f"livecell_coco_{section}.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_one_command_gives_scores_and_classes_by_cell_type(tmp_path: Path) -> None:
    write_livecell(tmp_path / "raw")
    small = ["--epochs", "1", "--batch_size", "4", "--roi_size", "[64,64]", "--network_def#encoder_name", "resnet18"]
    command = ["bash", str(ROOT / "scripts" / "livecell.sh"), str(tmp_path / "raw"), str(tmp_path / "out"), *small]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((tmp_path / "out" / "trained" / "evaluation" / "cellseg_summary.json").read_text())
    assert summary["by"]["cell_type"].keys() == set(TYPES)
    classes = json.loads((tmp_path / "out" / "trained" / "evaluation" / "classes_summary.json").read_text())
    assert classes["images"]["counted"] == 2
    assert "cells" in classes or "no cells of known class" in done.stderr
    assert (tmp_path / "out" / "report.html").is_file()
