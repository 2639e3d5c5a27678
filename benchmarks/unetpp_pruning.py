"""Costs and savings of pruning a U-Net++: Dice, FLOPs and time of each level.

    python -m monai.bundle run training --output_dir RUN --dataset_dir DATA \
        --config_file "['bundles/unetpp/configs/train.json','bundles/unetpp/configs/variants/deep_supervision.json']"
    python benchmarks/unetpp_pruning.py RUN [--dataset_dir DATA] [--datalist FILE]

A level is the network up to that depth; L4 is all of it. The threshold is chosen on the validation images, and Dice is
measured on the test images. FLOPs are those of one 256 × 256 image; a multiplication with its addition counts as two.
The time is the median of several passes over such an image, with the levels in turn, relative to L4.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow
from torch.utils.flop_counter import FlopCounterMode

from cellseg_monai.networks import set_pruning
from cellseg_monai.training import trained_network

LEVELS = (1, 2, 3, 4)
ROUNDS = 7


def costs(network: torch.nn.Module) -> tuple[dict[int, float], dict[int, float]]:
    """Return the GFLOPs and the median seconds of each level for one 256 × 256 image."""
    image = torch.zeros(1, 1, 256, 256)
    gigaflops: dict[int, float] = {}
    seconds: dict[int, list[float]] = {level: [] for level in LEVELS}
    with torch.no_grad():
        for level in LEVELS:
            with FlopCounterMode(display=False) as counter:
                set_pruning(network, level)(image)
            gigaflops[level] = counter.get_total_flops() / 1e9
        for _ in range(ROUNDS):
            for level in LEVELS:
                set_pruning(network, level)
                began = time.perf_counter()
                network(image)
                seconds[level].append(time.perf_counter() - began)
    return gigaflops, {level: statistics.median(passes) for level, passes in seconds.items()}


def dice(run: Path, level: int, overrides: dict[str, str]) -> tuple[float, float]:
    """Return the mean Dice of the test images at a level, and the threshold chosen for it."""
    with tempfile.TemporaryDirectory() as folder:
        # Calibration writes the threshold next to the weights, so each level needs a copy of them.
        shutil.copy(run / "model.pt", folder)
        for config in ("calibrate", "evaluate"):
            workflow = ConfigWorkflow(
                f"bundles/unetpp/configs/{config}.json",
                logging_file=False,
                workflow_type="infer",
                output_dir=folder,
                prune=level,
                **overrides,
            )
            workflow.initialize()
            workflow.run()
        summary = json.loads((Path(folder) / "evaluation" / "cellseg_summary.json").read_text())
    return summary["scores"]["dice_mean"]["value"], summary["about"]["threshold"]


def main() -> None:
    """Measure all levels, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset_dir")
    parser.add_argument("--datalist")
    options = parser.parse_args()
    paths = {"dataset_dir": options.dataset_dir, "datalist": options.datalist}
    overrides = {name: path for name, path in paths.items() if path is not None}
    gigaflops, seconds = costs(trained_network(options.run / "model.pt"))
    print("level  Dice (mean of images)  threshold  GFLOPs  time / L4")
    for level in LEVELS:
        score, threshold = dice(options.run, level, overrides)
        ratio = seconds[level] / seconds[LEVELS[-1]]
        print(f"L{level}     {score:21.4f}  {threshold:9.2f}  {gigaflops[level]:6.2f}  {ratio:9.2f}")


if __name__ == "__main__":
    main()
