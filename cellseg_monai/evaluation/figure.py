"""Figure of an evaluation: F1 against the IoU threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol
from cellseg_monai.scores import ObjectCounts, Over, bootstrap_interval, over_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_f1", "f1_figure"]

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color.
_LINES: tuple[tuple[Over, str, str, str], ...] = (
    ("mean", "mean over images", "#0072B2", "o-"),
    ("pooled", "all images pooled", "#D55E00", "s--"),
)


def draw_f1(path: Path, protocol: Protocol, images: Sequence[ImageCounts]) -> None:
    """Save `f1_figure` as a PNG file.

    Args:
        path: PNG file to write.
        protocol: protocol under which the objects were counted.
        images: counts for each image; there must be at least one.
    """
    with replacing(path) as aside:
        f1_figure(protocol, images).savefig(aside, format="png", dpi=110)


def f1_figure(protocol: Protocol, images: Sequence[ImageCounts]) -> Figure:
    """Draw F1 at each IoU threshold of the protocol, both as the mean over images and pooled.

    Bands are 95 % bootstrap intervals over images. They are left out for a single image.

    Args:
        protocol: protocol under which the objects were counted.
        images: counts for each image; there must be at least one.
    """
    from matplotlib.figure import Figure  # imported here because it is slow and only needed in this function

    curves = [image.objects for image in images]
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for over, label, colour, style in _LINES:
        scores = over_images(curves, "f1", over)
        axes.plot(protocol.thresholds, scores, style, color=colour, label=label, markersize=5)
        if len(curves) > 1:
            low, high = np.transpose([_interval(curves, position, over) for position in range(len(scores))])
            axes.fill_between(protocol.thresholds, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("IoU that a match must reach" if not protocol.strict else "IoU that a match must exceed")
    axes.set_ylabel("object F1")
    axes.set_title(f"{protocol.name}: {len(images)} image(s)")
    axes.grid(alpha=0.4)
    axes.legend(loc="lower left", title="bands: 95 % interval over images" if len(curves) > 1 else None)
    return figure


def _interval(curves: Sequence[Sequence[ObjectCounts]], position: int, over: Over) -> tuple[float, float]:
    return bootstrap_interval(curves, lambda counts: np.asarray(counts.f1)[..., position], over=over)
