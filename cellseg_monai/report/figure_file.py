"""Saving figures as PNG files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from cellseg_monai.atomic import replacing

__all__ = ["save_figure"]


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure as PNG, replacing the file atomically."""
    with replacing(path) as aside:
        figure.savefig(aside, format="png", dpi=110)
