"""What pruning a U-Net++ costs and saves: Dice, FLOPs and time of each level.

    python -m monai.bundle run training --output_dir RUN --dataset_dir DATA \
        --config_file "['bundles/unetpp/configs/train.json','bundles/unetpp/configs/variants/deep_supervision.json']"
    python benchmarks/unetpp_pruning.py RUN [--dataset_dir DATA] [--section test]

A level is the whole network up to that depth, L4 all of it. FLOPs are those of one 256 × 256 image, a multiplication
with its addition counted as two; the time is that of the sliding window over the images, as a ratio to L4 in this run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow
from torch.utils.flop_counter import FlopCounterMode

from cellseg_monai.networks import set_pruning
from cellseg_monai.training import trained_network

LEVELS = (1, 2, 3, 4)


def gigaflops(network: torch.nn.Module) -> float:
    """GFLOPs of one 256 × 256 image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, 256, 256))
    return counter.get_total_flops() / 1e9


def scores(run: Path, level: int, overrides: dict[str, str]) -> dict:
    """The summary of the evaluation at one level."""
    with tempfile.TemporaryDirectory() as output_dir:
        workflow = ConfigWorkflow(
            "bundles/unetpp/configs/evaluate.json",
            logging_file=False,
            workflow_type="infer",
            checkpoint=str(run / "model.pt"),
            output_dir=output_dir,
            prune=level,
            **overrides,
        )
        workflow.initialize()
        workflow.run()
        return json.loads((Path(output_dir) / "evaluation" / "summary.json").read_text())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset_dir")
    parser.add_argument("--section", default="test")
    options = parser.parse_args()
    overrides = {"section": options.section}
    if options.dataset_dir:
        overrides["dataset_dir"] = options.dataset_dir
    network = trained_network(options.run / "model.pt")
    results = {level: scores(options.run, level, overrides) for level in LEVELS}
    whole = results[LEVELS[-1]]["megapixels_per_second"]
    print("level  Dice (mean of images)  GFLOPs  time / L4")
    for level, result in results.items():
        cost = gigaflops(set_pruning(network, level))
        dice = result["foreground"]["dice"]["mean"]
        print(f"L{level}     {dice:21.4f}  {cost:6.2f}  {whole / result['megapixels_per_second']:9.2f}")


if __name__ == "__main__":
    main()
