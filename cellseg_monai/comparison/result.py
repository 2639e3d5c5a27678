"""What a run of a comparison came to: its scores with their intervals, and its costs."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.comparison.child import Measured
from cellseg_monai.comparison.costs import network_costs
from cellseg_monai.comparison.runs import Run
from cellseg_monai.report.csv_table import read_table
from cellseg_monai.scores import ForegroundCounts, mean_score, pooled_score
from cellseg_monai.scores.bootstrap import bootstrap_interval
from cellseg_monai.scores.foreground import SCORES
from cellseg_monai.training import read_checkpoint, read_record, trained_network

__all__ = ["Result", "Score", "collect_result"]


@dataclass(frozen=True)
class Score:
    """A score of the test images, with its 95 % bootstrap interval over images.

    Args:
        mean: of the images' own scores.
        mean_low: NaN where there is but one image, as are the other ends.
        mean_high: see there.
        pooled: of all pixels together.
        pooled_low: see there.
        pooled_high: see there.
    """

    mean: float
    mean_low: float
    mean_high: float
    pooled: float
    pooled_low: float
    pooled_high: float


@dataclass(frozen=True)
class Result:
    """All that the tables say of a run.

    Args:
        run: its name, such as "unet+two_classes".
        bundle: the bundle's.
        variants: the variants'.
        epochs: how many were trained; fewer than asked for where it stopped early.
        best_epoch: the one with the highest score of the bundle's own on validation, whose weights were evaluated.
        threshold: the one chosen on validation.
        scores: by name, of the test images.
        image_dice: the Dice of each test image, by its path.
        parameters: of the network.
        gflops: of the network for an image of 256 by 256 pixels; see `Costs`.
        training_images_per_second: crops trained on, the median of the epochs after the first.
        inference_megapixels_per_second: of the test images through the network in its sliding window.
        training_memory_mb: the peak of the training process; None where the system does not tell.
        inference_memory_mb: likewise of the evaluation.
        training_minutes: of all epochs, with their validation.
    """

    run: str
    bundle: str
    variants: tuple[str, ...]
    epochs: int
    best_epoch: int
    threshold: float
    scores: dict[str, Score]
    image_dice: dict[str, float]
    parameters: int
    gflops: float
    training_images_per_second: float
    inference_megapixels_per_second: float
    training_memory_mb: float | None
    inference_memory_mb: float | None
    training_minutes: float

    def as_json(self) -> dict[str, Any]:
        """As plain data; NaN, which JSON does not have, becomes null."""
        return json.loads(json.dumps(asdict(self)), parse_constant=lambda _: None)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Result:
        """The result that `as_json` gave."""
        scores = {
            name: Score(**{end: math.nan if value is None else value for end, value in score.items()})
            for name, score in values["scores"].items()
        }
        return cls(**{**values, "variants": tuple(values["variants"]), "scores": scores})


def collect_result(run: Run, folder: Path, measured: Mapping[str, Measured]) -> Result:
    """The result of a run, out of what its steps wrote.

    Args:
        run: which.
        folder: where they wrote.
        measured: what each step took.
    """
    epochs = read_table(folder / "metrics.csv")
    images = read_table(folder / "evaluation" / "images.csv")
    summary = json.loads((folder / "evaluation" / "summary.json").read_text(encoding="utf-8"))
    counts = [ForegroundCounts(*(int(row[name]) for name in ("tp", "fp", "fn", "tn"))) for row in images]
    network = trained_network(folder / "model.pt")
    key = read_record(read_checkpoint(folder / "model.pt"))["key_metric"]
    costs = network_costs(network, network.definition["in_channels"])
    speeds = [float(row["images_per_second"]) for row in epochs]
    return Result(
        run=run.name,
        bundle=run.bundle,
        variants=run.variants,
        epochs=len(epochs),
        best_epoch=int(max((row for row in epochs if row[key]), key=lambda row: float(row[key]))["epoch"]),
        threshold=summary["threshold"],
        scores={name: _score(counts, name) for name in SCORES},
        image_dice={row["image"]: float(row["dice"]) for row in images},
        parameters=costs.parameters,
        gflops=costs.flops / 1e9,
        # The first epoch reads the files and warms up; where it is the only one, it has to do.
        training_images_per_second=statistics.median(speeds[1:] or speeds),
        inference_megapixels_per_second=summary["megapixels_per_second"],
        training_memory_mb=measured["training"].peak_memory_mb,
        inference_memory_mb=measured["evaluating"].peak_memory_mb,
        training_minutes=sum(float(row["seconds"]) for row in epochs) / 60,
    )


def _score(counts: list[ForegroundCounts], name: str) -> Score:
    mean, pooled = (bootstrap_interval(counts, name, over=over) for over in ("mean", "pooled"))
    return Score(mean_score(counts, name), *mean, pooled_score(counts, name), *pooled)
