"""Writing the results of a comparison as `comparison.csv` and `comparison.md`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.comparison.request import Request
from cellseg_monai.comparison.result import Result, Score
from cellseg_monai.spreadsheets import writing_table

__all__ = ["by_dice", "shown_command", "write_csv", "write_markdown"]

HEADING = "# Comparison on "

FIGURES = {
    "scores.png": "Dice on the test images: the mean over images with its 95 % interval, and the pooled value.",
    "losses.png": "Training loss, and validation Dice at a threshold of 0.5, by epoch. Losses from different loss "
    "functions cannot be compared.",
    "thresholds.png": "Dice and IoU on the validation images by threshold. A ring marks the chosen threshold.",
    "panel.png": "The test images with the lowest, median and highest Dice (mean over runs). Each picture shows the "
    "middle of the image, at most 320 x 320 pixels. White is correct, orange is false foreground, and blue was missed. "
    "The masks are the label images that inference writes, with holes filled and small objects removed. The Dice above "
    "a mask is that of the whole image after thresholding alone, as in the table.",
}


# With fewer images, bootstrap intervals are too narrow to declare a winner.
_FEWEST_IMAGES = 10


def by_dice(results: Sequence[Result]) -> list[Result]:
    """Sort results by mean Dice, highest first."""
    return sorted(results, key=lambda result: -result.scores["dice"].mean)


def shown_command(request: Request, runs: Sequence[str], *, dataset_dir: str | Path, output_dir: str | Path) -> str:
    """Return the command that repeats a comparison, with absolute paths shortened to their last part.

    Args:
        request: the request of the comparison.
        runs: names of the runs.
        dataset_dir: the data set folder, as passed by the user.
        output_dir: output folder, as passed by the user.
    """
    options: dict[str, Any] = {"bundles": ",".join(runs), "output": _relative(output_dir)}
    options |= {"epochs": request.epochs} if request.minutes is None else {"minutes": request.minutes}
    options["seed"] = request.seed
    if request.datalist is not None:
        options["datalist"] = _relative(request.datalist)
    options |= request.knobs
    # Lists without spaces need no quotes in the shell command.
    words = [word for name, value in options.items() for word in (f"--{name}", str(value).replace(", ", ","))]
    return shlex.join(["cellseg", "compare", _relative(dataset_dir), *words])


def write_csv(path: Path, results: Sequence[Result]) -> None:
    """Write a CSV table with one row per run; cells of unknown values are empty.

    Args:
        path: CSV file to write.
        results: results of the runs.
    """
    rows = []
    for result in by_dice(results):
        row = {name: value for name, value in asdict(result).items() if name not in ("scores", "image_dice")}
        row["variants"] = "+".join(result.variants)
        for name, score in result.scores.items():
            row |= {
                f"{name}_{end}": "" if math.isnan(value) else f"{value:.6f}" for end, value in asdict(score).items()
            }
        rows.append(row)
    with writing_table(path, rows[0]) as table:
        for row in rows:
            table.write(row[name] for name in rows[0])


def write_markdown(
    path: Path, results: Sequence[Result], request: Request, *, command: str, failures: Mapping[str, str]
) -> None:
    """Write a Markdown page with the tables, the method, and the figures with their captions.

    Args:
        path: Markdown file to write.
        results: results of the runs that finished.
        request: the request of the comparison.
        command: command that repeats the comparison.
        failures: reason for each failure, by the name of the run.
    """
    ordered = by_dice(results)
    sections = [
        f"{HEADING}{Path(request.dataset).name}",
        _table(_SCORES_HEAD, [_scores_row(result, best=result is _clear_best(ordered)) for result in ordered]),
        _table(_COSTS_HEAD, [_costs_row(result) for result in ordered]),
        *([_failed(failures)] if failures else []),
        _how(request),
        f"Made by:\n\n```\n{command}\n```",
        *(f"![{name.removesuffix('.png')}]({name})\n\n{caption}" for name, caption in FIGURES.items()),
    ]
    with replacing(path) as aside:
        aside.write_text("\n\n".join(sections) + "\n", encoding="ascii", errors="backslashreplace")


_SCORES_HEAD = (
    "run",
    "Dice, mean of images [95 %]",
    "Dice, pooled [95 %]",
    "IoU, mean of images [95 %]",
    "IoU, pooled [95 %]",
    "precision",
    "recall",
    "accuracy",
    "threshold",
)
_COSTS_HEAD = (
    "run",
    "parameters (M)",
    "GFLOPs",
    "training images/s",
    "inference MP/s",
    "peak memory, training (MB)",
    "peak memory, inference (MB)",
    "epochs (best)",
    "training (min)",
)


def _clear_best(ordered: Sequence[Result]) -> Result | None:
    """Return the run whose Dice interval lies above all others; None if there is no such run, or too few images."""
    if len(ordered[0].image_dice) < _FEWEST_IMAGES:
        return None
    first, *others = (result.scores["dice"] for result in ordered)
    # Unknown intervals are NaN, and comparisons with NaN are false, so no run can win against one.
    clear = others and all(first.mean_low > other.mean_high for other in others)
    return ordered[0] if clear else None


def _scores_row(result: Result, *, best: bool) -> list[str]:
    name = f"**{result.run}**" if best else result.run
    dice, iou = result.scores["dice"], result.scores["iou"]
    others = [f"{result.scores[name].mean:.3f}" for name in ("precision", "recall", "accuracy")]
    return [name, *_with_intervals(dice), *_with_intervals(iou), *others, f"{result.threshold:g}"]


def _with_intervals(score: Score) -> tuple[str, str]:
    return (
        _with_interval(score.mean, score.mean_low, score.mean_high),
        _with_interval(score.pooled, score.pooled_low, score.pooled_high),
    )


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [n/a]" if math.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _costs_row(result: Result) -> list[str]:
    memory = [result.training_memory_mb, result.inference_memory_mb]
    return [
        result.run,
        f"{result.parameters / 1e6:.2f}",
        _three_digits(result.gflops),
        _three_digits(result.training_images_per_second),
        _three_digits(result.inference_megapixels_per_second),
        *("n/a" if value is None else f"{value:.0f}" for value in memory),
        f"{result.epochs} ({result.best_epoch})",
        f"{result.training_minutes:.1f}",
    ]


def _three_digits(value: float) -> str:
    """Format a number with at least three significant digits and no exponent.

    >>> [_three_digits(value) for value in (0.01234, 9.876, 1234.5)]
    ['0.0123', '9.88', '1234']
    """
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(0, digits)}f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _failed(failures: Mapping[str, str]) -> str:
    return "Failed runs (not in the tables):\n\n" + "\n".join(f"- {run}: {why}" for run, why in failures.items())


def _how(request: Request) -> str:
    counts = ", ".join(f"{number} {section}" for section, number in request.images.items())
    budget = request.budget
    if request.minutes is not None:
        budget += " (estimated from the second of two trial epochs; at least one epoch)"
    return "\n".join(
        [
            f"- Data: {Path(request.dataset).name}; {counts} images.",
            f"- Budget per run: {budget}; seed {request.seed}.",
            "- Epoch and threshold were chosen on the validation images, never on the test images.",
            "- Runs are sorted by Dice. Intervals are percentile bootstrap intervals over the test images. They show "
            "how scores would vary with other images, not with other seeds, and they are too narrow for a handful of "
            "images. A run is in bold only if its interval lies above all others and there are at least "
            f"{_FEWEST_IMAGES} images.",
            "- Precision, recall and accuracy are means over images.",
            "- GFLOPs: convolutions and matrix products for one image of 256 x 256 pixels, with a multiply-add "
            "counted as two operations.",
            "- Training images/s: crops per second in training, the median over epochs after the first (or the first "
            "if there is no other). Inference MP/s: sliding-window inference without reading and post-processing.",
            "- Peak memory: main memory of the whole process, including Python and its libraries but not GPU memory, "
            "in MB of 10^6 bytes.",
        ]
    )


def _relative(path: str | Path) -> str:
    path = Path(path)
    return path.name if path.is_absolute() else path.as_posix()
