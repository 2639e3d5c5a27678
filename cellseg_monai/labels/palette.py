"""Colours of classes, the same in pictures and in every export."""

from __future__ import annotations

import colorsys

__all__ = ["class_colours"]

Colour = tuple[int, int, int]

# Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color, which people with colour blindness can
# tell apart, without black. The first four also differ most in brightness.
_DISTINCT: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (240, 228, 66),
    (204, 121, 167),
    (0, 158, 115),
    (213, 94, 0),
    (0, 114, 178),
)
_GOLDEN_ANGLE = 0.381966  # of a full turn; hues at its multiples never repeat and are well spread


def class_colours(count: int) -> list[Colour]:
    """Return the colours of classes: red, green and blue from 0 to 255 for each class, in the order of the classes.

    Args:
        count: number of classes. From the eighth on, colours differ only in hue.

    >>> class_colours(2)
    [(230, 159, 0), (86, 180, 233)]
    """
    colours = list(_DISTINCT[:count])
    for number in range(len(colours), count):
        red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.65, 0.85)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours
