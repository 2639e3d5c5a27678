"""How sizes, shapes and intensities of objects are distributed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from cellseg_monai.report.lines import COLOURS

__all__ = ["bin_edges", "distribution_figure", "medians", "objects_figure"]

_BINS = 40
_LOG_FROM = 5  # largest over smallest, from which on bins grow
_FEW_TICKS_FROM = 300  # from which on only powers of ten have a number


def distribution_figure(measures: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """The distribution of each measure over the objects of all images, with its medians.

    Args:
        measures: of each, its name with the unit, the values of the true and of the predicted objects.
    """
    figure = Figure(figsize=(5.6 * len(measures), 4.2), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, (name, truth, prediction) in zip(panels, measures, strict=True):
        _draw(
            axes,
            [(truth, "true objects", COLOURS[0], "-"), (prediction, "predicted objects", COLOURS[1], "--")],
        )
        axes.set_xlabel(name)
        axes.set_ylabel("objects")
        axes.grid(alpha=0.4)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, handlelength=3.5)
    return figure


def objects_figure(measures: Sequence[tuple[str, np.ndarray, tuple[float, float] | None]]) -> Figure:
    """The distribution of each measure over the objects of all images, with its median.

    Args:
        measures: of each, its name with the unit, its values, and the range of the training data, if it is known.
    """
    figure = Figure(figsize=(11.2, 3.6 * -(-len(measures) // 3)), layout="constrained")
    panels = figure.subplots(-(-len(measures) // 3), 3, squeeze=False).ravel()
    for axes in panels[len(measures) :]:
        axes.set_axis_off()
    for axes, (name, values, known) in zip(panels, measures, strict=False):
        if known is not None:
            axes.axvspan(*known, color=COLOURS[5], alpha=0.25, linewidth=0, label="training data")
            axes.legend(frameon=False, fontsize="small")
        _draw(axes, [(values, "objects", COLOURS[1], "-")], few_ticks_from=_FEW_TICKS_FROM / 5)
        axes.set_xlabel(name)
        axes.set_ylabel("objects")
        axes.grid(alpha=0.4)
    return figure


def _draw(
    axes: Axes, sides: Sequence[tuple[np.ndarray, str, str, str]], few_ticks_from: float = _FEW_TICKS_FROM
) -> None:
    edges = bin_edges(np.concatenate([values for values, *_ in sides]))
    if np.ptp(np.diff(edges)) > 1e-6 * edges[-1]:
        axes.set_xscale("log")
        few = edges[-1] > few_ticks_from * edges[0]
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if few else (1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    for values, label, colour, style in sides:
        axes.stairs(np.histogram(values, edges)[0], edges, label=label, color=colour, linestyle=style, linewidth=1.8)
        if len(values):
            axes.axvline(float(np.median(values)), color=colour, linestyle=style, linewidth=1, alpha=0.7)


def bin_edges(values: np.ndarray) -> np.ndarray:
    """Edges of bins from the smallest to the largest value: of the same ratio where values above 1 span much.

    Args:
        values: finite.

    >>> bin_edges(np.array([1, 10_000]))[[0, 20, 40]]
    array([1.e+00, 1.e+02, 1.e+04])
    >>> bin_edges(np.array([20, 60]))[[0, 20, 40]]
    array([20., 40., 60.])
    >>> bin_edges(np.array([0.1, 0.9]))[[0, 20, 40]]
    array([0.1, 0.5, 0.9])
    """
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if high > 1 and low > 0 and high / low >= _LOG_FROM:
        return np.geomspace(low, high, _BINS + 1)
    return np.linspace(low, high, _BINS + 1)


def medians(truth: np.ndarray, prediction: np.ndarray) -> str:
    """The medians of both sides in words.

    >>> medians(np.array([1, 2, 3]), np.zeros(0))
    'median 2 of 3 true, none of 0 predicted objects'
    """
    told = [f"{np.median(values):.4g}" if len(values) else "none" for values in (truth, prediction)]
    return f"median {told[0]} of {len(truth):,} true, {told[1]} of {len(prediction):,} predicted objects"
