"""Boundaries between touching objects, the class from which a network learns to separate neighbours."""

from __future__ import annotations

import itertools
import math

import numpy as np

__all__ = ["touching_boundaries"]


def touching_boundaries(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Mark the object pixels that lie close to another object.

    Half of the width lies on each side of the contact. If the width is odd, the larger half is in the object with the
    higher id. Borders with the background are not boundaries, and background pixels are never marked.

    J. C. Caicedo et al., Cytometry A 95 (2019), doi:10.1002/cyto.a.23863, mark all object borders in their target.
    Marking only contacts follows the winners of the Data Science Bowl 2018 (J. C. Caicedo et al., Nature Methods 16
    (2019), doi:10.1038/s41592-019-0612-7).

    Args:
        labels: YX integers, 0 is background.
        width: total width of a boundary in pixels, counting both sides. A pixel is marked if its distance to another
            object, from pixel centre to pixel centre, is less than the width on its side plus half a pixel. Widths of 3
            or more therefore also bridge gaps of one pixel.

    Returns:
        YX bool.

    Raises:
        ValueError: the labels are not YX, or the width is not a whole number of at least 1.

    >>> labels = np.array([[1, 1, 1, 2, 2, 0, 3]])
    >>> touching_boundaries(labels, width=2).astype(int)
    array([[0, 0, 1, 1, 0, 0, 0]])
    >>> touching_boundaries(labels, width=1).astype(int)
    array([[0, 0, 0, 1, 0, 0, 0]])
    """
    if labels.ndim != 2:
        raise ValueError(f"got labels of shape {labels.shape}, expected (Y, X); pass one plane")
    if width < 1 or width != int(width):
        raise ValueError(
            f"got width={width}, expected a whole number of at least 1; pass 2 to mark one pixel on each side"
        )
    # Distances at which pixels are no longer marked, in the objects with the lower and the higher id.
    lesser_limit, greater_limit = width // 2 + 0.5, (width + 1) // 2 + 0.5
    boundaries: np.ndarray = np.zeros(labels.shape, bool)
    reach = int(greater_limit)
    for down, across in itertools.product(range(reach + 1), range(-reach, reach + 1)):
        distance = math.hypot(down, across)
        if distance >= greater_limit or (down == 0 and across <= 0):  # these offsets give the same pairs in reverse
            continue
        rows, columns = _shifted(labels.shape[0], down), _shifted(labels.shape[1], across)
        here, there = (rows[0], columns[0]), (rows[1], columns[1])
        ids_here, ids_there = labels[here], labels[there]
        contact = (ids_here != ids_there) & (ids_here > 0) & (ids_there > 0)
        if not contact.any():
            continue
        boundaries[here] |= contact if distance < lesser_limit else contact & (ids_here > ids_there)
        boundaries[there] |= contact if distance < lesser_limit else contact & (ids_there > ids_here)
    return boundaries


def _shifted(length: int, step: int) -> tuple[slice, slice]:
    """Return two slices of an axis that pair each position with the position `step` pixels further along."""
    return (
        slice(max(-step, 0), max(length - max(step, 0), 0)),
        slice(max(step, 0), max(length + min(step, 0), 0)),
    )
