"""A cheap test for components that have no neck and so need not be divided."""

from __future__ import annotations

import numpy as np

from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.labels.convex_hull import hull_rows

__all__ = ["surely_neckless"]

# Upper bound on how far the distance to the background can fall between two pixels of a convex component, because of
# the pixel grid alone. Between two points of the convex hull, the distance to its edge does not fall. But the nearest
# pixel outside can be √5/2 away from a point on the edge: ½ along the edge and 1 across it, if the edge follows a row.
# (Near a slanted edge, one of the two adjacent rows has a closer pixel.) A path of adjacent pixels also deviates from
# the straight line by up to √½. The last term is there because the fall must be strictly less than `least_depth`.
_GRID_ERROR = 5**0.5 / 2 + 0.5**0.5 + 1e-6


def surely_neckless(components: ComponentRuns, least_depth: float) -> np.ndarray:
    """Find components that cannot have two peaks separated by a saddle `least_depth` below both of them.

    Heights are Euclidean distances to the background. Two tests look only at outlines:

    - A component is too thin to have a neck if half its shorter side leaves no room for a peak and a saddle.
    - A component is nearly convex if it fills its convex hull except for shallow dents. Along a straight line within a
      convex set, the distance to the outside never falls below the lower of its values at the two ends. Dents reduce
      the distance by at most their depth. A peak that counts lies deeper than the dents, so the line stays within the
      component.

    Components for which both tests are inconclusive are reported as False, so some neckless components are missed.

    Args:
        components: components of the foreground.
        least_depth: depth of a neck, in pixels.

    Returns:
        bool array indexed by component number; False for the background.

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
    # A peak is at most half the shorter side high, and a saddle at least one pixel.
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
    """Find the rows in which the dent on the left side of the component is shallow.

    A dent is shallow if all pixels between the hull and the component are within `dent` of the outside of the hull.

    Args:
        first: index of each component's first row in the following arrays.
        lefts: first column of the component in each row.
        hull_lefts: first column of the component's convex hull in each row.
        dent: greatest depth of a shallow dent, in pixels.

    Returns:
        bool for each row.
    """
    shallow = lefts - hull_lefts <= dent
    outside = np.iinfo(lefts.dtype).max  # there is no hull above the first row or below the last
    above = below = hull_lefts
    for row_distance in range(1, int(dent) + 1):
        above, below = np.roll(above, 1), np.roll(below, -1)
        above[first], below[first - 1] = outside, outside
        # From the innermost pixel of the dent, go this many rows up or down, and as far to the left as `dent` allows.
        # The dent is shallow if this leads to a pixel outside the hull.
        column_distance = int((dent**2 - row_distance**2) ** 0.5)
        shallow |= np.maximum(above, below) >= lefts - column_distance
    return shallow
