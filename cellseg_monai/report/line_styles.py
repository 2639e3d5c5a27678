"""Line styles that differ in colour, dash and marker."""

from __future__ import annotations

from typing import Any

__all__ = ["COLOURS", "line_style"]

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color, without yellow (too faint for lines).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


def line_style(position: int) -> dict[str, Any]:
    """Return the style of a line as keyword arguments for matplotlib's `plot`.

    Args:
        position: index of the line in its figure, starting at 0.

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
