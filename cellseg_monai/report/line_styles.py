"""Styles that tell the lines of a figure apart by colour, dash and marker together."""

from __future__ import annotations

from typing import Any

__all__ = ["COLOURS", "line_style"]

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color; its yellow is too faint for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


def line_style(position: int) -> dict[str, Any]:
    """Return the style of a line, as arguments of matplotlib's `plot`.

    Args:
        position: position of the line among those of the figure, from 0.

    >>> line_style(1)["color"], line_style(1)["marker"]
    ('#D55E00', 's')
    """
    return {
        "color": COLOURS[position % len(COLOURS)],
        "linestyle": _DASHES[position // len(COLOURS) % len(_DASHES)],
        "marker": _MARKERS[position % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.6,
    }
