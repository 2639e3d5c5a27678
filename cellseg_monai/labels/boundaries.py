"""Where objects touch: the class that lets a network tell neighbours apart."""

from __future__ import annotations

import itertools
import math

import numpy as np

__all__ = ["touching_boundaries"]


def touching_boundaries(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """The pixels of objects that lie close to another object.

    Half of the width lies on either side of the contact; of an odd width, the larger half in the object of the
    greater id. Borders to the background are no boundaries, and pixels of the background never belong to one.

    The target of J. C. Caicedo et al., Cytometry A 95 (2019), doi:10.1002/cyto.a.23863, marks all borders of objects;
    that only contacts are marked is after the winners of the Data Science Bowl 2018 (J. C. Caicedo et al., Nature
    Methods 16 (2019), doi:10.1038/s41592-019-0612-7).

    Args:
        labels: YX integers, 0 is background.
        width: in pixels, of both sides together. A pixel is marked if its centre is less than half a pixel farther
            from the other object than its side is wide; so from 3 on, gaps of one pixel are bridged as well.

    Returns:
        YX bool.

    Raises:
        ValueError: labels are not YX, or the width is no whole number from 1.

    >>> labels = np.array([[1, 1, 1, 2, 2, 0, 3]])
    >>> touching_boundaries(labels, width=2).astype(int)
    array([[0, 0, 1, 1, 0, 0, 0]])
    >>> touching_boundaries(labels, width=1).astype(int)
    array([[0, 0, 0, 1, 0, 0, 0]])
    """
    if labels.ndim != 2:
        raise ValueError(f"labels of shape {labels.shape} came, but (Y, X) was expected; take one plane")
    if width < 1 or width != int(width):
        raise ValueError(f"width={width} came, but a whole number of pixels from 1 was expected; 2 marks either side")
    lesser, greater = width // 2 + 0.5, (width + 1) // 2 + 0.5
    boundaries: np.ndarray = np.zeros(labels.shape, bool)
    reach = int(greater)
    for down, across in itertools.product(range(reach + 1), range(-reach, reach + 1)):
        distance = math.hypot(down, across)
        if distance >= greater or (down == 0 and across <= 0):  # the other half is the same pairs, the other way round
            continue
        rows, columns = _pairs(labels.shape[0], down), _pairs(labels.shape[1], across)
        here, there = (rows[0], columns[0]), (rows[1], columns[1])
        one, other = labels[here], labels[there]
        apart = (one != other) & (one > 0) & (other > 0)
        if not apart.any():
            continue
        boundaries[here] |= apart if distance < lesser else apart & (one > other)
        boundaries[there] |= apart if distance < lesser else apart & (other > one)
    return boundaries


def _pairs(length: int, step: int) -> tuple[slice, slice]:
    """The positions along an axis that have one so many steps on, and those that they have there."""
    return (
        slice(max(-step, 0), max(length - max(step, 0), 0)),
        slice(max(step, 0), max(length + min(step, 0), 0)),
    )
