"""Fine-tuning on ten images, against the bundle as it is and training from scratch for as many steps.

    git show 8d72ea3:bundles/nuclei/models/model.pt > start.pt
    python -m benchmarks.finetune --data DATA --start_from start.pt --output RESULTS

DATA holds prepared data sets, of which the starting weights must not have seen any. From the training images of each
set, ten are drawn for each seed. All networks are scored on the images that the set reserves for testing.

The number of epochs follows from `--cpu_minutes`: a trial run shows how much processor time an epoch of training from
scratch takes, so that the result does not depend on what else runs on the machine. Both kinds of training take the same
number of steps, but fine-tuning may stop early. Each finished run is recorded in RESULTS/results.json. Run the same
command again to continue; `--most 1` stops after one more run. A run that was killed continues after its last epoch.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.kept_runs import KeptRuns, Run, spread
from cellseg_monai.bundle import find_bundle, run_bundle
from cellseg_monai.data import nested_subset, write_datalist
from cellseg_monai.digest import file_digest
from cellseg_monai.evaluation import find_protocol, read_summary
from cellseg_monai.finetuning.folder import BundleFolder
from cellseg_monai.finetuning.images import Images, divide, find_pool
from cellseg_monai.finetuning.schedule import schedule
from cellseg_monai.finetuning.tuning_run import Start, finetune_on
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.settings import read_mapping
from cellseg_monai.spreadsheets import read_table
from cellseg_monai.training import read_checkpoint, read_metadata, save_checkpoint

BUNDLE = "nuclei"
SETS = ("bitdepth_nucseg_dapi", "mnfinder_nuclei", "tnbc_he")
SCORES = {"f1_50_pooled": "F1 at IoU 0.5", "f1_pooled": "mean F1"}
STOCK, RESIZED, TUNED, SCRATCH = "stock", "stock, images resized", "fine-tuned", "from scratch"


def main() -> None:
    """Do the runs that are not recorded yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--start_from", type=Path, required=True, help="weights to start from")
    parser.add_argument("--output", type=Path, required=True, help="folder for runs, results.json and finetune.md")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--images", type=int, default=10, help="annotated images for each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cpu_minutes", type=float, default=8.0, help="processor time for training, per run")
    parser.add_argument("--most", type=int, default=None, help="stop after this number of runs")
    arguments = parser.parse_args()
    told = {
        "start_from": file_digest(arguments.start_from),
        "images": arguments.images,
        "cpu_minutes": arguments.cpu_minutes,
    }
    results = KeptRuns(arguments.output, told)
    results.do(runs(arguments, results), arguments.most)
    table = table_of(results, arguments.sets)
    (arguments.output / "finetune.md").write_text(table, encoding="utf-8")
    print(table)


def runs(arguments: argparse.Namespace, results: KeptRuns) -> Iterator[Run]:
    """Yield the key of each run, the function that does it in a process of its own, and its arguments."""
    for name in arguments.sets:
        dataset, folder = arguments.data / name, arguments.output / name
        for method in (STOCK, RESIZED):
            yield f"{name}/{method}", evaluate_stock, (dataset, folder, arguments.start_from, method)
        yield f"{name}/trial", measure, (dataset, folder, arguments.images)
        seconds = results.content.get(f"{name}/trial", {}).get("cpu_seconds_an_epoch")
        if seconds is None:
            return  # the limit of runs is reached
        epochs = max(1, math.floor(60 * arguments.cpu_minutes / seconds))
        for seed in arguments.seeds:
            for method in (TUNED, SCRATCH):
                options = (dataset, folder, arguments.start_from, arguments.images, seed, method, epochs)
                yield f"{name}/{method}/{seed}", train, options


def evaluate_stock(dataset: Path, folder: Path, start_from: Path, method: str) -> dict[str, Any]:
    """Score the starting weights, with the preparation that they were trained with or with that of the bundle."""
    root, checkpoint = find_bundle(BUNDLE), start_from
    output = folder / method.replace(", ", "_").replace(" ", "_")
    if method == RESIZED:
        state = read_checkpoint(start_from)
        preprocess = Preprocessing.from_json(root / "configs" / "preprocess.json")
        read_metadata(state)["preprocess"] = dataclasses.asdict(preprocess)
        checkpoint = output / "model.pt"
        output.mkdir(parents=True, exist_ok=True)
        save_checkpoint(state, checkpoint)
    _, held_out = find_pool(dataset, None, seed=0)
    write_datalist(output / "datalist.json", {"test": held_out})
    return score(root, output, checkpoint=str(checkpoint))


def measure(dataset: Path, folder: Path, images: int) -> dict[str, Any]:
    """Return the processor time of an epoch of training from scratch; the second epoch shows it."""
    output, root = folder / "trial", find_bundle(BUNDLE)
    shutil.rmtree(output, ignore_errors=True)
    drawn = _images(dataset, images, 0)
    write_datalist(output / "datalist.json", drawn.as_datalist())
    train = read_mapping(root / "configs" / "train.json")
    steps = schedule(train, images=len(drawn.training), validated=True, epochs=2)["steps_per_epoch"]
    files = {"dataset_dir": str(dataset), "datalist": str(output / "datalist.json"), "output_dir": str(output)}
    began, began_cpu = time.monotonic(), time.process_time()
    run_bundle(root, "train", **files, epochs=2, steps_per_epoch=steps)
    share = (time.process_time() - began_cpu) / (time.monotonic() - began)
    return {"cpu_seconds_an_epoch": share * float(read_table(output / "metrics.csv")[-1]["seconds"])}


def _images(dataset: Path, count: int, seed: int) -> Images:
    pool, held_out = find_pool(dataset, None, seed=0)
    divided = divide(nested_subset(pool, count, seed=seed), seed=seed)
    return Images(divided.training, divided.validation, held_out)


def train(
    dataset: Path, folder: Path, start_from: Path, images: int, seed: int, method: str, epochs: int
) -> dict[str, Any]:
    """Train a network, and score it."""
    began = time.process_time()
    output = folder / f"seed_{seed}" / method.replace(" ", "_").replace("-", "_")
    made = _finetune(dataset, output, start_from, images, seed, method, epochs)
    rows = read_table(made.training / "metrics.csv")
    facts = {"epochs": len(rows), "of": epochs, "cpu_minutes": round((time.process_time() - began) / 60, 2)}
    return {**score(made.path, made.path), **facts}


def _finetune(
    dataset: Path, output: Path, start_from: Path, images: int, seed: int, method: str, epochs: int
) -> BundleFolder:
    start = Start.of(BUNDLE, start_from)
    knobs: dict[str, Any] = {}
    if method == SCRATCH:
        rate = read_mapping(start.root / "configs" / "train.json")["learning_rate"]
        knobs = {"start_from": None, "learning_rate": rate, "frozen_epochs": 0, "encoder_rate": 1.0, "early_stop": 0}
    finetune_on(
        _images(dataset, images, seed),
        dataset.name,
        folder := BundleFolder(output),
        start,
        epochs=epochs,
        minutes=None,
        seed=seed,
        knobs=knobs,
    )
    return folder


def score(root: Path, folder: Path, **options: str) -> dict[str, float]:
    """Return the scores of a bundle on the images in the section for testing of a folder's datalist."""
    files = {"dataset_dir": str(folder), "datalist": str(folder / "datalist.json"), "output_dir": str(folder)}
    run_bundle(root, "evaluate", **files, section="test", **options)
    scores = read_summary(folder / "evaluation", find_protocol("cellseg"))["scores"]
    return {name: scores[name]["value"] for name in SCORES}


def table_of(results: KeptRuns, sets: list[str]) -> str:
    """Return the mean of each method over seeds, with the standard deviation, as a table in Markdown."""
    lines = ["| set | network | seeds | " + " | ".join(SCORES.values()) + " | epochs | CPU minutes, with calibration |"]
    lines.append("|---|---|---|" + "---|" * (len(SCORES) + 2))
    for name in sets:
        for method in (STOCK, RESIZED, SCRATCH, TUNED):
            own = [
                run
                for key, run in results.content.items()
                if key == f"{name}/{method}" or key.startswith(f"{name}/{method}/")
            ]
            if own:
                cells = [spread([run[score] for run in own]) for score in SCORES]
                epochs = ", ".join(str(run["epochs"]) for run in own if "epochs" in run)
                minutes = [run["cpu_minutes"] for run in own if "cpu_minutes" in run]
                spent = f"{statistics.mean(minutes):.1f}" if minutes else ""
                lines.append(f"| {name} | {method} | {len(own)} | {' | '.join(cells)} | {epochs} | {spent} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
