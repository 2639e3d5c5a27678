"""Figures of a training run: its loss curve and scores, and the settings that calibration tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cellseg_monai.report.line_styles import line_style

__all__ = ["calibration_figure", "history_figure"]

Rows = Sequence[Mapping[str, str]]

_NOT_SCORES = ("epoch", "loss", "learning_rate", "seconds", "images_per_second")
_COLUMNS = 2
_RING: dict[str, Any] = {"color": "#000000", "mfc": "none", "markersize": 11, "mew": 2}


def history_figure(epochs: Rows) -> Figure:
    """Draw the training loss and every validation score against the epoch.

    Args:
        epochs: rows of `metrics.csv`.

    Raises:
        ValueError: there are no rows, or a cell is not a number.
        KeyError: a row lacks its epoch or loss.
    """
    if not epochs:
        raise ValueError("the table has no epochs")
    figure = Figure(figsize=(11.2, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*_points(epochs, "loss"), **line_style(0))
    left.set_title("Training loss")
    left.set_ylabel("loss, mean over the epoch")
    for position, name in enumerate(name for name in epochs[0] if name not in _NOT_SCORES):
        right.plot(*_points(epochs, name), label=name, **line_style(position))
    right.set_title("Validation scores")
    right.set_ylabel("score")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.4)
    if right.lines:
        right.legend(fontsize=9)
    return figure


def _points(epochs: Rows, column: str) -> tuple[list[int], list[float]]:
    kept = [row for row in epochs if row.get(column)]
    return [int(row["epoch"]) for row in kept], [float(row[column]) for row in kept]


def calibration_figure(trials: Rows, chosen: Mapping[str, Any]) -> Figure:
    """Draw F1 and Dice against each calibrated setting, with rings around the chosen values.

    If calibration swept a setting in several rounds, the earlier rounds are faint.

    Args:
        trials: rows of `calibration/curve.csv`.
        chosen: chosen settings by name, from `calibration/calibration.json`.

    Raises:
        ValueError: there are no rows, or a score is not a number.
        KeyError: a row lacks its setting, value or score.
    """
    settings = list(dict.fromkeys(row["setting"] for row in trials))
    if not settings:
        raise ValueError("the table has no trials")
    rows = -(-len(settings) // _COLUMNS)
    figure = Figure(figsize=(11.2, 0.5 + 3.1 * rows), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for axes, setting in zip(panels, settings, strict=False):
        _draw_setting(axes, [row for row in trials if row["setting"] == setting], chosen.get(setting))
        axes.set_xlabel(setting)
        axes.set_ylabel("score")
        axes.grid(alpha=0.4)
    for axes in list(panels):
        axes.axis("off")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, handlelength=3.5)
    return figure


def _draw_setting(axes: Axes, trials: Rows, chosen: Any) -> None:
    values = list(dict.fromkeys(row["value"] for row in trials))
    places = _places(values)
    if not all(places[value] == _number(value) for value in values):
        axes.set_xticks(range(len(values)), values)
    rounds = list(dict.fromkeys(row["round"] for row in trials))
    for name, label, position in (("f1", "object F1, all images pooled", 0), ("dice", "Dice, mean over images", 1)):
        for number in rounds:
            last = number == rounds[-1]
            scores = {places[row["value"]]: float(row[name]) for row in trials if row["round"] == number}
            ordered = dict(sorted(scores.items()))
            style = {**line_style(position), "alpha": 1.0 if last else 0.35}
            axes.plot(list(ordered), list(ordered.values()), label=label if last else None, **style)
            chosen_place = next((place for value, place in places.items() if _same(value, chosen)), None)
            if last and chosen_place in scores:
                axes.plot(chosen_place, scores[chosen_place], "o", label="chosen" if position else None, **_RING)


def _places(values: Sequence[str]) -> dict[str, float]:
    """Return the position of each value on the x axis: the value itself if all are numbers, otherwise its index."""
    parsed = [_number(value) for value in values]
    numbers = [number for number in parsed if number is not None]
    return dict(zip(values, numbers if len(numbers) == len(values) else map(float, range(len(values))), strict=True))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _same(value: str, chosen: Any) -> bool:
    number = _number(value)
    return value == str(chosen) or (number is not None and number == _number(str(chosen)))
