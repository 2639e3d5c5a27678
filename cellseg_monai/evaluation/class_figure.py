"""Figure of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cellseg_monai.scores import ClassCounts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["confusion_figure", "picture_of_figure"]

_MOST_WRITTEN = 20  # classes whose numbers still fit into their fields


def confusion_figure(counts: ClassCounts, names: Sequence[str], subject: str) -> Figure:
    """Draw a confusion matrix whose rows, the true classes, are shaded by their share.

    Args:
        counts: pooled counts of all images.
        names: names of the classes.
        subject: what was counted, such as "cells".
    """
    from matplotlib.figure import Figure  # imported here because it is slow and only needed in this function

    confusion = np.asarray(counts.confusion)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    side = 2.5 + 0.6 * min(len(names), _MOST_WRITTEN)
    figure = Figure(figsize=(side + 0.5, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{confusion.sum()} {subject}, balanced accuracy {counts.balanced_accuracy:.3f}", fontsize="medium")
    if len(names) <= _MOST_WRITTEN:
        for (row, column), number in np.ndenumerate(confusion):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(number), ha="center", va="center", color=colour)
    return figure


def picture_of_figure(figure: Figure) -> np.ndarray:
    """Return a figure as a picture, Y×X×3 uint8.

    Args:
        figure: the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # imported here because it is slow

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
