"""Convert lengths to micrometres, from the many unit names found in image files."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["UM_PER_UNIT", "checked_size", "in_um"]

UM_PER_UNIT = {
    "m": 1e6,
    "dm": 1e5,
    "cm": 1e4,
    "mm": 1e3,
    "um": 1.0,
    "\N{MICRO SIGN}m": 1.0,
    "\N{GREEK SMALL LETTER MU}m": 1.0,
    "\\u00b5m": 1.0,  # ImageJ writes the micro sign as an escape
    "micron": 1.0,
    "microns": 1.0,
    "meter": 1e6,
    "centimeter": 1e4,
    "millimeter": 1e3,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nanometer": 1e-3,
    "picometer": 1e-6,
    "nm": 1e-3,
    "pm": 1e-6,
    "\N{ANGSTROM SIGN}".lower(): 1e-4,
    "angstrom": 1e-4,
    "in": 25_400.0,
    "inch": 25_400.0,
}
"""Micrometres per unit of length, by the lower-case name of the unit. "pixel" is not a length."""


def in_um(value: Any, factor: float | None) -> float | None:
    """Return a length in micrometres, or None if the value is not a number or the unit is unknown.

    Args:
        value: the length in the file's unit; anything that is not a number gives None.
        factor: micrometres per unit, or None if the unit is unknown.

    >>> in_um("250", UM_PER_UNIT["nm"]), in_um("wide", 1.0), in_um(1, UM_PER_UNIT.get("pixel"))
    (0.25, None, None)
    """
    if value is None or factor is None:
        return None
    try:
        return float(value) * factor
    except (TypeError, ValueError):
        return None


def checked_size(height: Any, width: Any) -> tuple[float, float] | None:
    """Return the height and width of a pixel if both are positive and finite, otherwise None.

    >>> checked_size(1, 0.5), checked_size(1, 0), checked_size(None, 1)
    ((1.0, 0.5), None, None)
    """
    for value in (height, width):
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            return None
    return float(height), float(width)
