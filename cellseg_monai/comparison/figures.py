"""Figures that compare the curves and scores of several runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cellseg_monai.comparison.result import Score
from cellseg_monai.report.figure_file import save_figure
from cellseg_monai.report.line_styles import COLOURS, line_style

__all__ = ["draw_losses", "draw_scores", "draw_thresholds"]

Rows = Sequence[Mapping[str, str]]


def draw_losses(path: Path, epochs: Mapping[str, Rows]) -> None:
    """Draw training loss and validation Dice against the epoch, one line per run.

    Args:
        path: PNG file to write.
        epochs: rows of each run's `metrics.csv`, by run name.
    """
    figure, (left, right) = _two_panels(len(epochs))
    for position, (run, rows) in enumerate(epochs.items()):
        for axes, column in ((left, "loss"), (right, "dice")):
            points = [(int(row["epoch"]), float(row[column])) for row in rows if row.get(column)]
            axes.plot(*zip(*points, strict=True), label=run, **line_style(position))
    for axes, label in ((left, "loss, mean over the epoch"), (right, "Dice, mean over images")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    left.set_title("Training loss")
    right.set_title("Validation Dice, at a threshold of 0.5")
    right.set_ylim(top=1.0)
    _legend(figure, left)
    save_figure(figure, path)


def draw_thresholds(path: Path, curves: Mapping[str, Rows], chosen: Mapping[str, float]) -> None:
    """Draw validation Dice and IoU against the threshold, with a ring around the chosen threshold.

    Args:
        path: PNG file to write.
        curves: rows for the setting `threshold` in each run's `calibration/curve.csv`, by run name.
        chosen: chosen threshold by run name.
    """
    figure, panels = _two_panels(len(curves))
    for axes, name, title in zip(panels, ("dice", "iou"), ("Dice", "IoU"), strict=True):
        for position, (run, rows) in enumerate(curves.items()):
            scores = {float(row["value"]): float(row[name]) for row in rows}
            style = {**line_style(position), "marker": None}
            axes.plot(list(scores), list(scores.values()), label=run, **style)
            nearest = min(scores, key=lambda threshold: abs(threshold - chosen[run]))
            axes.plot(nearest, scores[nearest], "o", color=style["color"], mfc="none", markersize=9, mew=2)
        axes.set_title(f"Validation {title}")
        axes.set_xlabel("threshold on the foreground probability")
        axes.set_ylabel(f"{title}, mean over images")
        axes.set_xlim(0, 1)
    _legend(figure, panels[0])
    save_figure(figure, path)


def draw_scores(path: Path, scores: Mapping[str, Score]) -> None:
    """Draw the Dice of each run, the mean with its interval and the pooled value, with the first run at the top.

    Args:
        path: PNG file to write.
        scores: Dice by run name.
    """
    figure = Figure(figsize=(8, 1.4 + 0.4 * len(scores)), layout="constrained")
    axes = figure.subplots()
    rows = range(len(scores))
    for row, score in enumerate(scores.values()):
        if not math.isnan(score.mean_low):
            label = None if axes.lines else "95 % interval of the mean"
            axes.plot([score.mean_low, score.mean_high], [row, row], color=COLOURS[0], linewidth=2, label=label)
    axes.plot([score.mean for score in scores.values()], rows, "o", color=COLOURS[0], label="mean over images")
    axes.plot([score.pooled for score in scores.values()], rows, "D", color=COLOURS[1], mfc="none", label="pooled")
    axes.set_yticks(rows, list(scores))
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.4)
    axes.set_xlabel("Dice on the test images")
    axes.set_title("Test Dice by run")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)


def _two_panels(runs: int) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(12, 4.6 + 0.22 * math.ceil(runs / 3)), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes in panels:
        axes.grid(alpha=0.4)
    return figure, panels


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, handlelength=3.5)
