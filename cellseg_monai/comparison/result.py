"""Results of the runs in a comparison: scores with their intervals, and costs."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from cellseg_monai.comparison.child import Usage
from cellseg_monai.comparison.costs import network_costs
from cellseg_monai.comparison.runs import Run
from cellseg_monai.errors import BundleError
from cellseg_monai.evaluation import Evaluation, read_results, read_summary
from cellseg_monai.evaluation.protocols import OWN
from cellseg_monai.scores import ForegroundCounts
from cellseg_monai.spreadsheets import read_table
from cellseg_monai.training import read_checkpoint, read_metadata, trained_network

__all__ = ["Result", "Score", "collect_result"]


@dataclass(frozen=True)
class Score:
    """A score on the test images, with 95 % bootstrap intervals over images.

    The ends of the intervals are NaN if there is only one image.

    Args:
        mean: mean of the scores of individual images.
        mean_low: lower end of the interval for the mean.
        mean_high: upper end of the interval for the mean.
        pooled: score over the pixels of all images together.
        pooled_low: lower end of the interval for the pooled score.
        pooled_high: upper end of the interval for the pooled score.
    """

    mean: float
    mean_low: float
    mean_high: float
    pooled: float
    pooled_low: float
    pooled_high: float


@dataclass(frozen=True)
class Result:
    """Scores and costs of one run, as listed in the tables.

    Args:
        run: name of the run, such as "unet+two_classes".
        bundle: name of the bundle.
        variants: names of the variants.
        epochs: number of epochs trained; fewer than requested if training stopped early.
        best_epoch: epoch with the best validation score (the bundle's key metric); its weights were evaluated.
        threshold: threshold chosen on the validation images.
        scores: foreground scores on the test images, by name.
        image_dice: Dice of each test image, by image path.
        parameters: number of network parameters.
        gflops: billions of floating-point operations for an image of 256 × 256 pixels; see `Costs`.
        training_images_per_second: number of crops per second in training, the median over epochs after the first.
        inference_megapixels_per_second: speed of sliding-window inference on the test images.
        training_memory_mb: peak memory of the training process in MB; None if the system does not report it.
        inference_memory_mb: peak memory of the evaluation process in MB; None if the system does not report it.
        training_minutes: total duration of all epochs in minutes, including validation.
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
        """Return the result as a JSON-compatible dict; NaN, which JSON lacks, becomes None."""
        return json.loads(json.dumps(asdict(self)), parse_constant=lambda _: None)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Result:
        """Restore a result from the dict that `as_json` returned.

        Raises:
            BundleError: a value is missing or has the wrong type.
        """
        try:
            scores = {
                name: Score(**{end: math.nan if value is None else float(value) for end, value in score.items()})
                for name, score in values["scores"].items()
            }
            if not isinstance(values["variants"], list | tuple):
                raise TypeError(f"got variants={values['variants']!r}")
            result = cls(**{**values, "variants": tuple(values["variants"]), "scores": scores})
            for name, kind in get_type_hints(cls).items():
                if name not in ("variants", "scores", "image_dice"):
                    _check_type(name, getattr(result, name), kind)
            for variant in result.variants:
                _check_type("a variant", variant, str)
            for image, dice in result.image_dice.items():
                _check_type(f"image_dice of {image}", dice, float)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"a result.json is damaged ({type(error).__name__}: {error}); delete it to repeat its run's last steps"
            ) from error
        return result


def _check_type(name: str, value: Any, kind: Any) -> None:
    """Raise a TypeError unless a value has a type; a whole number is also a float."""
    fits = isinstance(value, kind) or (kind is not str and isinstance(value, int))
    if not fits or isinstance(value, bool):
        raise TypeError(f"got {name}={value!r}")


def collect_result(run: Run, folder: Path, usage: Mapping[str, Usage]) -> Result:
    """Collect the result of a run from the files that its steps wrote.

    Args:
        run: the run.
        folder: output folder of the run.
        usage: time and memory by step name.
    """
    epochs = read_table(folder / "metrics.csv")
    evaluation, summary = read_results(folder / "evaluation", OWN), read_summary(folder / "evaluation", OWN)
    network = trained_network(folder / "model.pt")
    key = read_metadata(read_checkpoint(folder / "model.pt"))["key_metric"]
    costs = network_costs(network, network.definition["in_channels"])
    speeds = [float(row["images_per_second"]) for row in epochs]
    return Result(
        run=run.name,
        bundle=run.bundle,
        variants=run.variants,
        epochs=len(epochs),
        best_epoch=int(max((row for row in epochs if row[key]), key=lambda row: float(row[key]))["epoch"]),
        threshold=summary["about"]["threshold"],
        scores={name: _score(summary["scores"], name) for name in ForegroundCounts.scores},
        image_dice=_image_dice(evaluation),
        parameters=costs.parameters,
        gflops=costs.flops / 1e9,
        # The first epoch is slower because it reads the files and warms up, so it counts only if there is no other.
        training_images_per_second=statistics.median(speeds[1:] or speeds),
        inference_megapixels_per_second=summary["about"]["megapixels_per_second"],
        training_memory_mb=usage["training"].peak_memory_mb,
        inference_memory_mb=usage["evaluating"].peak_memory_mb,
        training_minutes=sum(float(row["seconds"]) for row in epochs) / 60,
    )


def _score(scores: Mapping[str, Any], name: str) -> Score:
    values: dict[str, float] = {}
    for over in ("mean", "pooled"):
        score = scores[f"{name}_{over}"]
        low, high = score["interval_95"] or (math.nan, math.nan)
        values |= {over: score["value"], f"{over}_low": low, f"{over}_high": high}
    return Score(**values)


def _image_dice(evaluation: Evaluation) -> dict[str, float]:
    dice = {}
    for image in evaluation.images:
        assert image.files.image is not None
        assert image.counts.foreground is not None
        dice[image.files.image.as_posix()] = image.counts.foreground.dice
    return dice
