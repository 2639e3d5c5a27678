"""Pieces of the foreground that have no neck, known by their outlines, so that nobody needs to look for one."""

from __future__ import annotations

import numpy as np

from cellseg_monai.decoding.pieces import Pieces
from cellseg_monai.labels.convex_hull import hull_rows

__all__ = ["without_neck"]

# By how much the depth of a piece without dents may fall on the way between two of its pixels, and a little, as it has
# to fall by less than what is asked for. Within the hull, the distance to the edge does not fall at all. But the next
# pixel outside is up to √5/2 away from any place on the edge: ½ along it and 1 across where it lies along the rows;
# where it is at a slant, one of the rows on either side has one that is nearer. And the pixels on the way, each beside
# the one before, are up to √½ away from the straight line.
_ON_A_GRID = 5**0.5 / 2 + 0.5**0.5 + 1e-6


def without_neck(pieces: Pieces, least_depth: float) -> np.ndarray:
    """Which pieces have no two peaks that the Euclidean distance to the background parts by `least_depth`.

    Within a convex set, the distance to what lies outside nowhere falls below the lower one of two places on the
    straight way between them. Of a piece that fills its convex hull but for dents, it falls by the depth of the dents
    more, at most; and a peak that rises enough to count is deeper than all this, so that the way stays within the
    piece. Others have no neck because they are too thin for one. Where neither is sure, the answer is no: not of each
    piece without a neck it is yes.

    Args:
        pieces: of the foreground.
        least_depth: in pixels.

    Returns:
        bool, of each number from 0 on, that of the background being False.

    >>> without_neck(Pieces.of(np.ones((3, 3), bool)), 4)  # there may be more of it beyond the border
    array([False, False])
    >>> without_neck(Pieces.of(np.pad(np.ones((30, 40), bool), 1)), 4)
    array([False,  True])
    >>> dumbbell = np.pad(np.ones((30, 90), bool), 1)
    >>> dumbbell[1:12, 40:50] = False
    >>> without_neck(Pieces.of(dumbbell), 4)
    array([False, False])
    """
    found: np.ndarray = np.zeros(pieces.count + 1, bool)
    sides = pieces.boxes[:, 2:] - pieces.boxes[:, :2]
    # A peak lies half of the shorter side deep at most, and a pass is a pixel at least.
    thin = sides.min(axis=1) + 1 < 2 * (least_depth + 1)
    found[1:] = thin & ~pieces.at_border
    if (dent := least_depth - _ON_A_GRID) < 0:
        return found
    runs = np.bincount(pieces.numbers, minlength=pieces.count + 1)[1:]
    asked: np.ndarray = np.append(False, (runs == sides[:, 0]) & ~thin & ~pieces.at_border)  # one stretch in each row
    order, _ = pieces.by_number
    order = order[asked[pieces.numbers[order]]]
    if not len(order):
        return found
    rows, lefts = np.divmod(pieces.starts[order], pieces.shape[1])
    rights = lefts + pieces.lengths[order] - 1
    first = np.flatnonzero(np.diff(pieces.numbers[order], prepend=0))
    _, hull_lefts, hull_rights = hull_rows(first, rows, lefts, rights)
    shallow = _shallow(first, lefts, hull_lefts, dent) & _shallow(first, -rights, -hull_rights, dent)
    found[pieces.numbers[order[first]]] = np.logical_and.reduceat(shallow, first)
    return found


def _shallow(first: np.ndarray, lefts: np.ndarray, hull_lefts: np.ndarray, dent: float) -> np.ndarray:
    """Whether what lies in the hull, to the left of a piece, is no farther than `dent` from what lies outside.

    Args:
        first: of each piece, the position of its first row in what follows.
        lefts: of each row, where the piece begins.
        hull_lefts: where its hull begins.
        dent: in pixels.
    """
    shallow = lefts - hull_lefts <= dent
    beyond = np.iinfo(lefts.dtype).max  # there is no hull above and below
    above = below = hull_lefts
    for away in range(1, int(dent) + 1):
        above, below = np.roll(above, 1), np.roll(below, -1)
        above[first], below[first - 1] = beyond, beyond
        # Of the last pixel of the dent: whether what lies so many rows away, and so many columns farther left, is out.
        farther = int((dent**2 - away**2) ** 0.5)
        shallow |= np.maximum(above, below) >= lefts - farther
    return shallow
