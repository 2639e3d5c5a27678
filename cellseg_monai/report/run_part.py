"""The section of a report on the training run: loss curves and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellseg_monai.json_text import parse_json
from cellseg_monai.report.html import chart, paragraph, table, text_cell
from cellseg_monai.report.run_figures import calibration_figure, history_figure
from cellseg_monai.spreadsheets import read_table
from cellseg_monai.text_file import read_text

__all__ = ["run_part"]

# Raised for files that cannot be read.
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OSError)


def run_part(run_dir: Path) -> tuple[str, list[str]]:
    """Return the section with the loss curves and the calibration of a training run.

    Args:
        run_dir: `output_dir` of the training run.

    Returns:
        The section as HTML, and a sentence about each part whose files are missing or unreadable.
    """
    parts, notes = [], []
    for make, name, content in (
        (_history, "metrics.csv", "loss curves"),
        (_calibration, "calibration", "the calibration curves"),
    ):
        path = run_dir / name
        if not path.exists():
            notes.append(f"{path} does not exist, so {content} are left out")
            continue
        try:
            parts.append(make(path))
        except _BROKEN as error:
            notes.append(f"{path} cannot be read ({type(error).__name__}: {error}), so {content} are left out")
    return "\n".join([*parts, *(paragraph(f"{note}.", "note") for note in notes)]), notes


def _history(path: Path) -> str:
    epochs = read_table(path)
    figure = history_figure(epochs)
    losses = [float(row["loss"]) for row in epochs if row["loss"]]  # epoch 0, before training, has none
    alt = (
        f"Training loss over {len(losses)} epochs, from {losses[0]:.4g} to {losses[-1]:.4g}, and scores on the "
        "validation images."
    )
    return "\n".join(["<h3>Training</h3>", chart(figure, alt), paragraph(alt)])


def _calibration(folder: Path) -> str:
    trials = read_table(folder / "curve.csv")
    calibration: dict[str, Any] = parse_json(read_text(folder / "calibration.json"))
    figure = calibration_figure(trials, calibration["settings"])
    swept = list(dict.fromkeys(row["setting"] for row in trials))
    interval = calibration["f1_interval"]
    low_high = f", 95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
    text = (
        f"The post-processing settings were chosen on {calibration['images']} image(s) in the section "
        f"“{calibration['section']}”. On these, the mean F1 over the ten IoU thresholds is "
        f"{calibration['f1']:.3f}{low_high}. Each panel sweeps one setting while the others stay fixed. Faint lines "
        "are earlier rounds, and rings mark the chosen values. If this report covers the same images, its scores are "
        "too optimistic."
    )
    alt = f"F1 and Dice against {', '.join(swept)}."
    rows = [[text_cell(name), text_cell(value)] for name, value in calibration["settings"].items()]
    return "\n".join(
        [
            "<h3>Calibration</h3>",
            chart(figure, alt),
            paragraph(text),
            f'<div class="words">{table(["setting", "chosen"], rows)}</div>',
        ]
    )
