"""Fabricated results and run folders, small enough to read."""

import csv
from pathlib import Path

import numpy as np

from cellseg_monai import io
from cellseg_monai.comparison.request import Request
from cellseg_monai.comparison.result import Result, Score
from cellseg_monai.evaluation import EvaluatedImage, Evaluation, FilePair, write_results
from cellseg_monai.evaluation.protocols import OWN
from cellseg_monai.networks import build_network
from cellseg_monai.scores import ForegroundCounts
from cellseg_monai.training import save_checkpoint
from cellseg_monai.training.checkpoint_metadata import make_metadata, state_with_metadata


def request(dataset: Path | str = "/data/cells", **changes: object) -> Request:
    values: dict = {
        "dataset": str(dataset),
        "datalist": None,
        "images": {"training": 8, "validation": 3, "test": 2},
        "split": "0123456789abcdef",
        "epochs": 5,
        "minutes": None,
        "seed": 0,
        "knobs": {"batch_size": 4, "roi_size": [64, 64]},
    }
    return Request(**{**values, **changes})


def result(run: str = "unet", dice: float = 0.9, half_width: float = 0.02, **changes: object) -> Result:
    bundle, *variants = run.split("+")
    score = Score(dice, dice - half_width, dice + half_width, dice + 0.01, dice - half_width, dice + half_width)
    values: dict = {
        "run": run,
        "bundle": bundle,
        "variants": tuple(variants),
        "epochs": 5,
        "best_epoch": 4,
        "threshold": 0.45,
        "scores": dict.fromkeys(ForegroundCounts.scores, score),
        "image_dice": {f"{index}.npy": dice for index in range(12)},
        "parameters": 24_430_000,
        "gflops": 15.6171,
        "training_images_per_second": 6.7891,
        "inference_megapixels_per_second": 0.51,
        "training_memory_mb": 2345.6,
        "inference_memory_mb": None,
        "training_minutes": 12.34,
    }
    return Result(**{**values, **changes})


def write_table(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_run(folder: Path, masks: dict[str, tuple[np.ndarray, np.ndarray]], *, epochs: int = 3) -> Path:
    """Write what the four steps of a run write, for these masks (prediction and truth) by the path of the image."""
    rows = [
        {"epoch": epoch, "loss": 1 / epoch, "learning_rate": 0.001, "seconds": 10 * epoch, "images_per_second": epoch}
        | {"dice": 1 - 0.4 / epoch}
        for epoch in range(1, epochs + 1)
    ]
    write_table(folder / "metrics.csv", rows)
    curve = [
        {
            "setting": "threshold",
            "value": step / 20,
            "dice": 0.9 - abs(step / 20 - 0.4) ** 2,
            "iou": 0.8 - abs(step / 20 - 0.4) ** 2,
        }
        for step in range(1, 20)
    ]
    write_table(folder / "calibration" / "curve.csv", curve)
    images = []
    for path, (mask, truth) in masks.items():
        files = FilePair(Path(path).stem, Path("truth.tif"), Path("prediction.tif"), Path(path))
        images.append(EvaluatedImage(files, OWN.count(mask.astype(int), truth.astype(int), mask)))
    about = {"threshold": 0.4, "megapixels_per_second": 1.5}
    write_results(Evaluation(OWN, images, about=about), folder / "evaluation")
    for path, (mask, _) in masks.items():
        io.write_labels(folder / "segmentation" / f"{Path(path).stem}.tif", mask.astype(np.int32))
    network = build_network({"network": "unet", "in_channels": 1, "classes": 1, "channels": [2, 4]})
    metadata = make_metadata(
        network, {"bundle": folder.name, "variants": [], "roi_size": [64, 64], "overlap": 0.25, "key_metric": "dice"}
    )
    save_checkpoint(state_with_metadata(network, metadata), folder / "model.pt")
    return folder
