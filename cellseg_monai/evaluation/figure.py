"""The figure of an evaluation: how F1 falls with the IoU that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol
from cellseg_monai.scores import ObjectCounts, bootstrap_interval, object_scores
from cellseg_monai.scores.counts import Over

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_f1", "f1_figure"]

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color.
_LINES: tuple[tuple[Over, str, str, str], ...] = (
    ("mean", "mean of images", "#0072B2", "o-"),
    ("pooled", "all objects together", "#D55E00", "s--"),
)


def draw_f1(path: Path, protocol: Protocol, images: Sequence[ImageCounts]) -> None:
    """`f1_figure` as a PNG file.

    Args:
        path: the file.
        protocol: under which objects were counted.
        images: what was counted of each, one at least.
    """
    with replacing(path) as aside:
        f1_figure(protocol, images).savefig(aside, format="png", dpi=110)


def f1_figure(protocol: Protocol, images: Sequence[ImageCounts]) -> Figure:
    """F1 at each threshold of the protocol, both as the mean of images and of all objects together.

    Bands are 95 % bootstrap intervals over images; a single image has none.

    Args:
        protocol: under which objects were counted.
        images: what was counted of each, one at least.
    """
    from matplotlib.figure import Figure  # slow to import, and only this function needs it

    curves = [image.objects for image in images]
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for over, label, colour, style in _LINES:
        scores = object_scores(curves, "f1", pooled=over == "pooled")
        axes.plot(protocol.thresholds, scores, style, color=colour, label=label, markersize=5)
        if len(curves) > 1:
            low, high = np.transpose([_interval(curves, position, over) for position in range(len(scores))])
            axes.fill_between(protocol.thresholds, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("IoU that a pair must reach" if not protocol.strict else "IoU that a pair must exceed")
    axes.set_ylabel("F1 of objects")
    axes.set_title(f"{protocol.name}: {len(images)} image(s)")
    axes.grid(alpha=0.4)
    axes.legend(loc="lower left", title="bands: 95 % interval over images" if len(curves) > 1 else None)
    return figure


def _interval(curves: Sequence[Sequence[ObjectCounts]], position: int, over: Over) -> tuple[float, float]:
    return bootstrap_interval(curves, lambda counts: np.asarray(counts.f1)[..., position], over=over)
