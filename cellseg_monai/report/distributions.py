"""Histograms of object sizes, shapes and intensities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from cellseg_monai.report.line_styles import COLOURS

__all__ = ["bin_edges", "distribution_figure", "equal_edges", "medians", "objects_figure"]

_BINS = 40
_LOG_FROM = 5  # minimum ratio of the largest to the smallest value for logarithmic bins
_PANELS = 3  # panels per row


def distribution_figure(measures: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """Draw one panel per measure, with histograms and medians of the true and the predicted objects.

    Args:
        measures: for each measure, its name with unit, the values of true objects and the values of predicted objects.
    """
    figure = Figure(figsize=(5.6 * len(measures), 4.2), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, (name, truth, prediction) in zip(panels, measures, strict=True):
        sides = [(truth, "true objects", COLOURS[0], "-"), (prediction, "predicted objects", COLOURS[1], "--")]
        _draw(axes, name, sides, few_ticks_from=300)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, handlelength=3.5)
    return figure


def objects_figure(measures: Sequence[tuple[str, np.ndarray, tuple[float, float] | None]]) -> Figure:
    """Draw one panel per measure, with the histogram and the median of all objects.

    Args:
        measures: for each measure, its name with unit, the objects' values, and the (low, high) range in the training
            data, or None if that range is unknown.
    """
    rows = math.ceil(len(measures) / _PANELS)
    figure = Figure(figsize=(11.2, 3.6 * rows), layout="constrained")
    panels = figure.subplots(rows, _PANELS, squeeze=False).ravel()
    for axes in panels[len(measures) :]:
        axes.set_axis_off()
    for axes, (name, values, known) in zip(panels, measures, strict=False):
        if known is not None:
            axes.axvspan(*known, color=COLOURS[5], alpha=0.25, linewidth=0, label="training data")
            axes.legend(frameon=False, fontsize="small")
        _draw(axes, name, [(values, "objects", COLOURS[1], "-")], few_ticks_from=60)
    return figure


def _draw(axes: Axes, name: str, sides: Sequence[tuple[np.ndarray, str, str, str]], *, few_ticks_from: float) -> None:
    """Draw the histograms of one measure in a panel.

    Args:
        axes: panel to draw in.
        name: name of the measure, with its unit.
        sides: for each histogram, its values, label, colour and line style.
        few_ticks_from: label only powers of ten if the largest bin edge exceeds the smallest by more than this factor.
    """
    edges = bin_edges(np.concatenate([values for values, *_ in sides]))
    if edges[-1] - edges[-2] > 2 * (edges[1] - edges[0]):  # logarithmic bins
        axes.set_xscale("log")
        few = edges[-1] > few_ticks_from * edges[0]
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if few else (1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    for values, label, colour, style in sides:
        axes.stairs(np.histogram(values, edges)[0], edges, label=label, color=colour, linestyle=style, linewidth=1.8)
        if len(values):
            axes.axvline(float(np.median(values)), color=colour, linestyle=style, linewidth=1, alpha=0.7)
    axes.set_xlabel(name)
    axes.set_ylabel("objects")
    axes.grid(alpha=0.4)


def bin_edges(values: np.ndarray) -> np.ndarray:
    """Return the edges of histogram bins that span the values.

    Bins are logarithmic if all values are positive, the largest exceeds 1, and it is at least 5 times the smallest.
    Otherwise they are equally wide.

    Args:
        values: finite values.

    >>> bin_edges(np.array([1, 10_000]))[[0, 20, 40]]
    array([1.e+00, 1.e+02, 1.e+04])
    >>> bin_edges(np.array([20, 60]))[[0, 20, 40]]
    array([20., 40., 60.])
    >>> bin_edges(np.array([0.1, 0.9]))[[0, 20, 40]]
    array([0.1, 0.5, 0.9])
    """
    edges = equal_edges(values, _BINS)
    low, high = edges[0], edges[-1]
    return np.geomspace(low, high, _BINS + 1) if high > 1 and low > 0 and high / low >= _LOG_FROM else edges


def equal_edges(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the edges of equally wide histogram bins that span the values.

    NumPy refuses values that are closer together than floating-point numbers can be divided.

    Args:
        values: finite values.
        n_bins: number of bins.

    >>> equal_edges(np.array([1, 3]), 2), equal_edges(np.array([2]), 2)
    (array([1., 2., 3.]), array([1.5, 2. , 2.5]))
    >>> len(np.unique(equal_edges(np.array([1e17, np.nextafter(1e17, 2e17)]), 40)))
    41
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    least = 2 * n_bins * float(np.spacing(max(abs(low), abs(high))))
    if high - low < least:
        low, high = low - least, high + least
    return np.linspace(low, high, n_bins + 1)


def medians(truth: np.ndarray, prediction: np.ndarray) -> str:
    """Describe the medians of true and predicted objects in words.

    >>> medians(np.array([1, 2, 3]), np.zeros(0))
    'median 2 for 3 true and none for 0 predicted objects'
    """
    texts = [f"{np.median(values):.4g}" if len(values) else "none" for values in (truth, prediction)]
    return f"median {texts[0]} for {len(truth):,} true and {texts[1]} for {len(prediction):,} predicted objects"
