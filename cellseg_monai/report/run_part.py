"""The part of a report that shows what a training left in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cellseg_monai.report.csv_table import read_table
from cellseg_monai.report.html import chart, paragraph, table, text_cell
from cellseg_monai.report.run_figures import calibration_figure, history_figure

__all__ = ["run_part"]

_BROKEN = (ValueError, KeyError, TypeError, OSError)  # json's error is a ValueError


def run_part(run_dir: Path) -> tuple[str, list[str]]:
    """Loss curves and calibration of a run, as far as it has them.

    Args:
        run_dir: the `output_dir` of a training.

    Returns:
        The part as HTML, and what is left out and why, a sentence each.
    """
    parts, notes = [], []
    for make, name, what in (
        (_history, "metrics.csv", "loss curves"),
        (_calibration, "calibration", "the curves of the threshold and the other settings"),
    ):
        path = run_dir / name
        if not path.exists():
            notes.append(f"{path} is not there; {what} are left out")
            continue
        try:
            parts.append(make(path))
        except _BROKEN as error:
            notes.append(f"{path} cannot be read ({type(error).__name__}: {error}); {what} are left out")
    return "\n".join([*parts, *(paragraph(f"{note}.", "note") for note in notes)]), notes


def _history(path: Path) -> str:
    epochs = read_table(path)
    figure = history_figure(epochs)
    losses = [float(row["loss"]) for row in epochs]
    alt = f"Training loss over {len(epochs)} epochs, from {losses[0]:.4g} to {losses[-1]:.4g}; scores on validation."
    return "\n".join(["<h3>Training</h3>", chart(figure, alt), paragraph(alt)])


def _calibration(folder: Path) -> str:
    trials = read_table(folder / "curve.csv")
    found: dict[str, Any] = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
    figure = calibration_figure(trials, found["settings"])
    swept = list(dict.fromkeys(row["setting"] for row in trials))
    interval = found["f1_interval"]
    low_high = f", 95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
    text = (
        f"The settings of post-processing were chosen on {found['images']} image(s) of the section "
        f"“{found['section']}”, on which they reach a mean F1 over the ten IoU thresholds of {found['f1']:.3f}"
        f"{low_high}. Each panel sweeps one setting, the others as they stood; faint lines are earlier rounds, rings "
        "the chosen values. Where the images of this report are those of the choice, its scores are flattering."
    )
    alt = f"F1 and Dice over the values of {', '.join(swept)}."
    rows = [[text_cell(name), text_cell(value)] for name, value in found["settings"].items()]
    return "\n".join(
        [
            "<h3>Calibration</h3>",
            chart(figure, alt),
            paragraph(text),
            f'<div class="words">{table(["setting", "chosen"], rows)}</div>',
        ]
    )
