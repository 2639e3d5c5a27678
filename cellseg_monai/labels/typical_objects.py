"""What the objects of an image are like: their typical diameter, and if they are darker than their surroundings."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

__all__ = ["objects_are_dark", "typical_diameter_px"]

# Objects smaller than this are debris or slips of an annotator, and would halve the median of some images.
_LEAST_PX = 20
# Whole objects describe the size better than those that the border cuts, if there are enough of them.
_ENOUGH = 3


def typical_diameter_px(labels: np.ndarray) -> float:
    """Return the median diameter of the objects in a label image.

    The diameter of an object is that of the disc with the same area. Objects at the border and those of fewer than 20
    pixels are left out if at least three others remain.

    Args:
        labels: YX integers, 0 is background.

    Returns:
        Diameter in pixels; NaN if there are no objects.

    >>> labels = np.zeros((9, 9), int)
    >>> labels[3:6, 3:7] = 5
    >>> round(typical_diameter_px(labels), 2)
    3.91
    """
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    if not areas.any():
        return math.nan
    whole = areas.copy()
    for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        whole[border] = 0
    for chosen in (whole[whole >= _LEAST_PX], areas[areas >= _LEAST_PX]):
        if len(chosen) >= _ENOUGH:
            return _diameter(chosen)
    return _diameter(areas[areas > 0])


def _diameter(areas: np.ndarray) -> float:
    return float(np.median(np.sqrt(4 / math.pi * areas)))


def objects_are_dark(pixels: np.ndarray, labels: np.ndarray) -> bool:
    """Return True if the objects in an image are darker than what surrounds them.

    The median inside the objects is compared with the median in a rim around them, so that uneven light has little
    effect.

    Args:
        pixels: YX, any real dtype.
        labels: YX integers, 0 is background.

    Returns:
        True or False; False if there are no objects or no background.

    >>> labels = np.zeros((9, 9), int)
    >>> labels[3:6, 3:6] = 1
    >>> objects_are_dark(np.where(labels, 10, 200), labels), objects_are_dark(np.where(labels, 200, 10), labels)
    (True, False)
    """
    inside = labels > 0
    diameter = typical_diameter_px(labels)
    if math.isnan(diameter):
        return False
    reach = max(2, round(diameter / 4))
    rim = ndimage.distance_transform_cdt(~inside, metric="chessboard")
    rim = (rim > 0) & (rim <= reach)
    return bool(rim.any() and np.median(pixels[inside]) < np.median(pixels[rim]))
