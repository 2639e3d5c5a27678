"""Whether an encoder that was trained without labels helps when few images are annotated.

    python -m benchmarks.pretraining --data DATA --output RESULTS [--labelled bbbc039] [--images 12] [--encoder lite0]

The encoder of the bundle `multihead_unet` starts from random weights, or from pretraining by contrast, by inpainting or
by both, on the training images of all data sets in DATA, without their labels; the encoder `lite0` also from ImageNet.
From each start, the network is trained on the same few annotated images for the same number of steps, with three seeds,
and scored on the images that the set reserves for testing. Each pretraining is done once.

Finished runs are recorded in RESULTS/results.json, and the table is RESULTS/pretraining.md. Run the same command again
to continue; `--most 1` stops after one more run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.kept_runs import KeptRuns, Run, spread
from benchmarks.mixed_images import write_lists
from cellseg_monai.bundle import find_bundle, run_bundle
from cellseg_monai.data import Datalist, load_datalist, write_datalist
from cellseg_monai.evaluation import find_protocol, read_summary
from cellseg_monai.networks import lite_encoder_weights
from cellseg_monai.spreadsheets import read_table

BUNDLE = "multihead_unet"
ENCODERS = {"lite0": "tu-tf_efficientnet_lite0", "b0": "tu-tf_efficientnetv2_b0"}
STARTS = {"contrast": (1.0, 0.0), "inpainting": (0.0, 1.0), "both": (1.0, 1.0)}
RANDOM, IMAGENET = "random", "ImageNet"
SCORES = {"dice_mean": "Dice", "f1_50_pooled": "F1 at IoU 0.5", "f1_pooled": "mean F1"}
SIDE, BATCH = 128, 16


def main() -> None:
    """Do the runs that are not recorded yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for runs, results.json and pretraining.md")
    parser.add_argument("--labelled", default="bbbc039", help="data set whose annotated images are trained on")
    parser.add_argument("--images", type=int, default=12, help="annotated images")
    parser.add_argument("--encoder", choices=list(ENCODERS), default="lite0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pretraining_steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=300, help="training steps on annotated images")
    parser.add_argument("--learning_rate", type=float, default=0.001, help="of training on annotated images")
    parser.add_argument("--most", type=int, default=None, help="stop after this number of runs")
    arguments = parser.parse_args()
    told = {name: value for name, value in vars(arguments).items() if name not in ("data", "output", "most", "seeds")}
    results = KeptRuns(arguments.output, told)
    results.do(runs(arguments), arguments.most)
    table = table_of(results)
    (arguments.output / "pretraining.md").write_text(table, encoding="utf-8")
    print(table)


def runs(arguments: argparse.Namespace) -> Iterator[Run]:
    """Yield the runs: each pretraining first, and then all trainings, seed by seed."""
    files = {name: arguments.output / f"pretrained_{name}" / "encoder.safetensors" for name in STARTS}
    for name, weights in STARTS.items():
        options = (arguments.data, arguments.output, name, weights, arguments.encoder, arguments.pretraining_steps)
        yield f"pretraining/{name}", pretrain, options
    starts: dict[str, Path | None] = {RANDOM: None, **files}
    if arguments.encoder == "lite0":
        starts[IMAGENET] = arguments.output / "imagenet.pt"
    for seed in arguments.seeds:
        for start, file in starts.items():
            yield f"{start}/{seed}", train, (arguments, start, file, seed)


def pretrain(
    data: Path, output: Path, name: str, weights: tuple[float, float], encoder: str, steps: int
) -> dict[str, Any]:
    """Train an encoder without labels, and return the last line of its history."""
    everything = load_datalist(data, write_lists(data, output / "lists"))
    bare: Datalist = {
        section: [{"image": item["image"], "group": item["group"]} for item in everything[section]]
        for section in ("training", "validation")
    }
    datalist = output / "unlabelled.json"
    write_datalist(datalist, bare)
    epochs = max(1, steps // 100)
    folder = output / f"pretrained_{name}"
    run_bundle(
        find_bundle(BUNDLE),
        "pretrain",
        dataset_dir=str(data),
        datalist=str(datalist),
        output_dir=str(folder),
        contrast=weights[0],
        inpainting=weights[1],
        epochs=epochs,
        steps_per_epoch=min(steps, 100),
        batch_size=BATCH,
        roi_size=[SIDE, SIDE],
        val_interval=5,
        resume=True,
        **{"network_def#encoder_name": ENCODERS[encoder]},
    )
    return dict(read_table(folder / "metrics.csv")[-1])


def train(arguments: argparse.Namespace, start: str, file: Path | None, seed: int) -> dict[str, float]:
    """Train on a few annotated images from a start, and return the scores on the images for testing."""
    root, folder = find_bundle(BUNDLE), arguments.output / f"seed_{seed}" / start
    if start == IMAGENET and file is not None:
        torch.save(lite_encoder_weights("lite0"), file)
    common = {"dataset_dir": str(arguments.data / arguments.labelled), "output_dir": str(folder)}
    epochs = max(1, arguments.steps // 100)
    run_bundle(
        root,
        "train",
        **common,
        encoder_weights=None if file is None else str(file),
        labelled_images=arguments.images,
        split_seed=seed,
        seed=seed,
        epochs=epochs,
        steps_per_epoch=min(arguments.steps, 100),
        val_interval=epochs,
        early_stop=0,
        batch_size=BATCH,
        roi_size=[SIDE, SIDE],
        learning_rate=arguments.learning_rate,
        resume=True,
        **{"network_def#encoder_name": ENCODERS[arguments.encoder]},
    )
    run_bundle(root, "evaluate", **common, section="test")
    scores = read_summary(folder / "evaluation", find_protocol("cellseg"))["scores"]
    return {name: scores[name]["value"] for name in SCORES}


def table_of(results: KeptRuns) -> str:
    """Return the mean of each start over seeds, with the standard deviation, as a table in Markdown."""
    lines = [f"| start | seeds | {' | '.join(SCORES.values())} |", "|---|---|" + "---|" * len(SCORES)]
    for start in (RANDOM, *STARTS, IMAGENET):
        own = [run for key, run in results.content.items() if key.startswith(f"{start}/")]
        if own:
            cells = [spread([run[score] for run in own]) for score in SCORES]
            lines.append(f"| {start} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
