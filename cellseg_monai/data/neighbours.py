"""The size of objects in the images next to one that has none."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from cellseg_monai.io import read_labels
from cellseg_monai.labels import typical_diameter_px

__all__ = ["neighbour_diameter_px"]


@cache
def neighbour_diameter_px(label_path: str) -> float:
    """Return the typical diameter of the objects in the nearest label image that has any.

    The label images of a folder are ordered by name, which usually means by plate, well and time.

    Args:
        label_path: label image without objects.

    Returns:
        Diameter in pixels; NaN if no label image in the folder has objects.

    Raises:
        UnreadableImageError: a label image cannot be read.
    """
    own = Path(label_path)
    names = sorted(path for path in own.parent.iterdir() if path.suffix == own.suffix)
    place = names.index(own)
    for other in sorted(names, key=lambda path: abs(names.index(path) - place)):
        diameter = math.nan if other == own else typical_diameter_px(read_labels(other))
        if not math.isnan(diameter):
            return diameter
    return math.nan
