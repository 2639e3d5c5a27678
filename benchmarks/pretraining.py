"""Whether an encoder that was trained without labels helps when few images are annotated.

    python -m benchmarks.pretraining --data DATA --output RESULTS [--labelled bbbc039] [--images 12] [--encoder lite0]

The encoder of the bundle `multihead_unet` starts from random weights, or from pretraining by contrast, by inpainting or
by both, without labels, on the images of all data sets in DATA that their lists name for training; those for validation
only give the scores of pretraining. The encoder `lite0` also starts from ImageNet. Each pretraining is done once.

For each seed, a few annotated images are drawn from the set `--labelled`. From each start, the network is trained on
them for the same number of steps, and its last state is scored on the images that the set reserves for testing.

Finished runs are recorded in RESULTS/results.json with the minutes that they trained, and the table is
RESULTS/pretraining.md. Run the same command again to continue; `--most 1` stops after one more run.
"""

from __future__ import annotations

import argparse
import statistics
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
EPOCH = 100


def main() -> None:
    """Do the runs that are not recorded yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for runs, results.json and pretraining.md")
    parser.add_argument("--labelled", default="bbbc039", help="data set whose annotated images are trained on")
    parser.add_argument("--images", type=int, default=12, help="annotated images")
    parser.add_argument("--encoder", choices=list(ENCODERS), default="lite0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pretraining_steps", type=steps, default=1500)
    parser.add_argument("--pretraining_batch", type=int, default=16, help="crops in a step of pretraining")
    parser.add_argument("--pretraining_rate", type=float, default=0.001, help="learning rate of pretraining")
    parser.add_argument("--temperature", type=float, default=0.2, help="of contrast")
    parser.add_argument("--block_px", type=int, default=16, help="side of the hidden blocks")
    parser.add_argument("--hidden_share", type=float, default=0.4, help="share of the blocks that are hidden")
    parser.add_argument("--side", type=int, default=128, help="side of the crops in pixels, in all trainings")
    parser.add_argument("--steps", type=steps, default=300, help="training steps on annotated images")
    parser.add_argument("--batch", type=int, default=16, help="crops in a step of training on annotated images")
    parser.add_argument("--learning_rate", type=float, default=0.001, help="of training on annotated images")
    parser.add_argument("--most", type=int, default=None, help="stop after this number of runs")
    arguments = parser.parse_args()
    told = {name: value for name, value in vars(arguments).items() if name not in ("data", "output", "most", "seeds")}
    results = KeptRuns(arguments.output, told)
    results.do(runs(arguments), arguments.most)
    table = table_of(results)
    (arguments.output / "pretraining.md").write_text(table, encoding="utf-8")
    print(table)


def steps(text: str) -> int:
    """Return a number of steps that can be divided into epochs of the same length.

    >>> steps("60"), steps("1500")
    (60, 1500)
    """
    number = int(text)
    if number < 1 or (number > EPOCH and number % EPOCH):
        raise argparse.ArgumentTypeError(f"got {number} steps, expected a multiple of {EPOCH}, or 1 to {EPOCH}")
    return number


def runs(arguments: argparse.Namespace) -> Iterator[Run]:
    """Yield the runs: each pretraining first, and then all trainings, seed by seed."""
    for name in STARTS:
        yield f"pretraining/{name}", pretrain, (arguments, name)
    starts: dict[str, Path | None] = {RANDOM: None}
    starts |= {name: arguments.output / f"pretrained_{name}" / "encoder.safetensors" for name in STARTS}
    if arguments.encoder == "lite0":
        starts[IMAGENET] = arguments.output / "imagenet.pt"
    for seed in arguments.seeds:
        for start, file in starts.items():
            yield f"{start}/{seed}", train, (arguments, start, file, seed)


def pretrain(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """Train an encoder without labels, and return the last line of its history, and the minutes."""
    output, folder = arguments.output, arguments.output / f"pretrained_{name}"
    everything = load_datalist(arguments.data, write_lists(arguments.data, output / "lists"))
    bare: Datalist = {
        section: [{"image": item["image"], "group": item["group"]} for item in everything[section]]
        for section in ("training", "validation")
    }
    datalist = output / "unlabelled.json"
    write_datalist(datalist, bare)
    contrast, inpainting = STARTS[name]
    run_bundle(
        find_bundle(BUNDLE),
        "pretrain",
        dataset_dir=str(arguments.data),
        datalist=str(datalist),
        output_dir=str(folder),
        contrast=contrast,
        inpainting=inpainting,
        temperature=arguments.temperature,
        block_px=arguments.block_px,
        hidden_share=arguments.hidden_share,
        learning_rate=arguments.pretraining_rate,
        batch_size=arguments.pretraining_batch,
        val_interval=5,
        **in_epochs(arguments.pretraining_steps),
        **shared(arguments),
    )
    return {**read_table(folder / "metrics.csv")[-1], "minutes": minutes(folder)}


def train(arguments: argparse.Namespace, start: str, file: Path | None, seed: int) -> dict[str, float]:
    """Train on a few annotated images from a start, and return the scores on images for testing, and the minutes."""
    root, folder = find_bundle(BUNDLE), arguments.output / f"seed_{seed}" / start
    if start == IMAGENET and file is not None:
        torch.save(lite_encoder_weights("lite0"), file)
    common = {
        "dataset_dir": str(arguments.data / arguments.labelled),
        "output_dir": str(folder),
        "split_seed": seed,
        "seed": seed,
    }
    epochs = in_epochs(arguments.steps)
    run_bundle(
        root,
        "train",
        **common,
        encoder_weights=None if file is None else str(file),
        labelled_images=arguments.images,
        val_interval=epochs["epochs"],
        early_stop=0,
        batch_size=arguments.batch,
        learning_rate=arguments.learning_rate,
        **epochs,
        **shared(arguments),
    )
    run_bundle(root, "evaluate", **common, section="test")
    scores = read_summary(folder / "evaluation", find_protocol("cellseg"))["scores"]
    return {**{name: scores[name]["value"] for name in SCORES}, "minutes": minutes(folder)}


def in_epochs(number: int) -> dict[str, int]:
    """Return the settings for a number of steps; see `steps`."""
    return {"epochs": max(1, number // EPOCH), "steps_per_epoch": min(number, EPOCH)}


def shared(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that all trainings share."""
    encoder = {"network_def#encoder_name": ENCODERS[arguments.encoder]}
    return {"roi_size": [arguments.side, arguments.side], "resume": True, **encoder}


def minutes(folder: Path) -> float:
    """Return how long a training took, also if it was stopped and continued."""
    return round(sum(float(row["seconds"] or 0) for row in read_table(folder / "metrics.csv")) / 60, 2)


def table_of(results: KeptRuns) -> str:
    """Return the mean of each start over seeds, with the standard deviation, as a table in Markdown."""
    heads = ["start", "seeds", *SCORES.values(), "minutes of pretraining", "minutes of training"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for start in (RANDOM, *STARTS, IMAGENET):
        own = [run for key, run in results.content.items() if key.startswith(f"{start}/")]
        if own:
            before = results.content.get(f"pretraining/{start}", {"minutes": 0.0})
            times = [f"{before['minutes']:.1f}", f"{statistics.mean(run['minutes'] for run in own):.1f}"]
            cells = [start, str(len(own)), *(spread([run[score] for run in own]) for score in SCORES), *times]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
