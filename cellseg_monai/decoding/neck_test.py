"""A cheap test for components that certainly have no neck and need not be divided."""

from __future__ import annotations

import numpy as np

from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.labels.convex_hull import hull_rows

__all__ = ["surely_neckless"]

# On a pixel grid, by how much the distance to the background can fall on the way between two pixels of a component
# without dents. The distance to the edge of the convex hull does not fall at all. But the next pixel outside is up to
# √5/2 away from a place on the edge: ½ along it and 1 across it where the edge follows a row. (Where the edge is
# slanted, one of the rows on either side has a nearer pixel.) And the pixels on the way, each next to the one before,
# are up to √½ away from the straight line. A little is added, as the fall has to be less than `least_depth`.
_GRID_ERROR = 5**0.5 / 2 + 0.5**0.5 + 1e-6


def surely_neckless(components: ComponentRuns, least_depth: float) -> np.ndarray:
    """Find components without two peaks that the Euclidean distance to the background separates by `least_depth`.

    Two tests are made, on outlines only. A component is too thin to have a neck if half its shorter side leaves no room
    for a peak and a saddle. A component is nearly convex if it fills its convex hull except for shallow dents: within a
    convex set, the distance to the outside never falls below that of both ends of a straight line. Dents lower it by at
    most their depth, and a peak high enough to count lies deeper than that, so the line stays within the component.

    If neither test is conclusive the answer is no, so some neckless components are missed.

    Args:
        components: of the foreground.
        least_depth: in pixels.

    Returns:
        bool for each number from 0 on; False for the background.

    >>> surely_neckless(ComponentRuns.from_mask(np.ones((3, 3), bool)), 4)  # it could continue beyond the border
    array([False, False])
    >>> surely_neckless(ComponentRuns.from_mask(np.pad(np.ones((30, 40), bool), 1)), 4)
    array([False,  True])
    >>> dumbbell = np.pad(np.ones((30, 90), bool), 1)
    >>> dumbbell[1:12, 40:50] = False
    >>> surely_neckless(ComponentRuns.from_mask(dumbbell), 4)
    array([False, False])
    """
    neckless: np.ndarray = np.zeros(components.count + 1, bool)
    sides = components.boxes[:, 2:] - components.boxes[:, :2]
    inside = ~components.touches_border
    # The distance is at most half the shorter side at a peak, and at least a pixel at a saddle.
    thin = sides.min(axis=1) + 1 < 2 * (least_depth + 1)
    neckless[1:] = thin & inside
    if (dent := least_depth - _GRID_ERROR) < 0:
        return neckless
    runs_per_component = np.bincount(components.numbers, minlength=components.count + 1)[1:]
    one_run_per_row = runs_per_component == sides[:, 0]
    candidates: np.ndarray = np.append(False, one_run_per_row & ~thin & inside)
    order, _ = components.by_component
    order = order[candidates[components.numbers[order]]]
    if not len(order):
        return neckless
    rows, lefts = np.divmod(components.starts[order], components.shape[1])
    rights = lefts + components.lengths[order] - 1
    first = np.flatnonzero(np.diff(components.numbers[order], prepend=0))
    _, hull_lefts, hull_rights = hull_rows(first, rows, lefts, rights)
    shallow = _shallow(first, lefts, hull_lefts, dent) & _shallow(first, -rights, -hull_rights, dent)
    neckless[components.numbers[order[first]]] = np.logical_and.reduceat(shallow, first)
    return neckless


def _shallow(first: np.ndarray, lefts: np.ndarray, hull_lefts: np.ndarray, dent: float) -> np.ndarray:
    """Return for each row True if the dent on the left of the component is at most `dent` deep.

    That is, if all pixels between the hull and the component are at most this far from the outside of the hull.

    Args:
        first: for each component, the position of its first row in the following arrays.
        lefts: for each row, the first column of the component.
        hull_lefts: for each row, the first column of its convex hull.
        dent: in pixels.
    """
    shallow = lefts - hull_lefts <= dent
    outside = np.iinfo(lefts.dtype).max  # there is no hull above the first row and below the last
    above = below = hull_lefts
    for row_distance in range(1, int(dent) + 1):
        above, below = np.roll(above, 1), np.roll(below, -1)
        above[first], below[first - 1] = outside, outside
        # Seen from the last pixel of the dent: is the pixel this many rows away, and as many columns to the left as
        # `dent` allows, outside the hull?
        column_distance = int((dent**2 - row_distance**2) ** 0.5)
        shallow |= np.maximum(above, below) >= lefts - column_distance
    return shallow
