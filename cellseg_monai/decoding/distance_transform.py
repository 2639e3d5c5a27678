"""An exact Euclidean distance transform that is fast for small components and needs little memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from cellseg_monai.decoding.packing import PackedComponents

__all__ = ["MAX_DISTANCE_PX", "distance_to_background"]

# Up to this distance, the sum of two squares fits into 16 bits, and `_squared_distances` is faster than SciPy.
MAX_DISTANCE_PX = 127
# Block size chosen to fit in the cache.
_BLOCK_PIXELS = 2**16


def distance_to_background(packed: PackedComponents) -> np.ndarray:
    """Compute the Euclidean distance from each component pixel to the nearest background pixel.

    The values equal those that `scipy.ndimage.distance_transform_edt` returns for the large image, but take less time
    and memory to compute unless a component is very deep. The outside of the image does not count as background. If
    there is no background at all, the distance is 1 everywhere.

    Args:
        packed: components packed with `deepest=MAX_DISTANCE_PX`.

    Returns:
        Y×X float32, the size of the packed image; 0 outside the components.

    >>> from cellseg_monai.decoding.component_runs import ComponentRuns
    >>> from cellseg_monai.decoding.packing import pack_components
    >>> components = ComponentRuns.from_mask(np.array([[0, 1, 1, 1]], bool))
    >>> (packed,) = pack_components(components, deepest=MAX_DISTANCE_PX)
    >>> distance_to_background(packed)[packed.numbers > 0]
    array([1., 2., 3.], dtype=float32)
    """
    # Other components in the packed image make no difference, because the background around each component is nearer.
    inside = packed.numbers > 0
    steps = _steps_along_columns(inside if packed.outside_image is None else inside | packed.outside_image)
    distances: np.ndarray = np.empty(steps.shape, np.float32)
    rows = max(1, _BLOCK_PIXELS // (steps.shape[1] + 2 * MAX_DISTANCE_PX))
    for top in range(0, len(steps), rows):
        squares = _squared_distances(steps[top : top + rows])
        if squares.max(initial=0) > MAX_DISTANCE_PX**2:  # only in a deep component, which is packed alone
            exact = np.ones_like(distances) if inside.all() else ndimage.distance_transform_edt(inside)
            return exact.astype(np.float32)
        np.sqrt(squares, out=distances[top : top + rows], dtype=np.float32)
    if packed.outside_image is not None:
        distances *= inside
    return distances


def _steps_along_columns(mask: np.ndarray) -> np.ndarray:
    """Return the vertical distance from each pixel to the background, capped at `MAX_DISTANCE_PX + 1`."""
    steps = np.where(mask, np.int16(MAX_DISTANCE_PX + 1), np.int16(0))
    for direction in (steps, steps[::-1]):
        for row, next_row in pairwise(direction):
            np.minimum(next_row, row + np.int16(1), out=next_row)
    return steps


def _squared_distances(steps: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distance to the background for some rows.

    By Pythagoras, the squared distance is a minimum over all columns. For each column, the square of the vertical
    distance in that column is added to the square of the horizontal distance to the column. Horizontal distances beyond
    the greatest distance found so far need not be tried.

    Args:
        steps: Y×X, the vertical distances from `_steps_along_columns`.

    Returns:
        Y×X int16; where the distance exceeds `MAX_DISTANCE_PX`, any value above `MAX_DISTANCE_PX` squared.
    """
    width = steps.shape[1]
    padded: np.ndarray = np.full((len(steps), width + 2 * MAX_DISTANCE_PX), (MAX_DISTANCE_PX + 1) ** 2, np.int16)
    middle = padded[:, MAX_DISTANCE_PX : MAX_DISTANCE_PX + width]
    np.multiply(steps, steps, out=middle)
    squares = middle.copy()
    candidates = np.empty_like(squares)
    for way in range(1, MAX_DISTANCE_PX + 1):
        if way**2 >= squares.max(initial=0):
            break
        left, right = padded[:, MAX_DISTANCE_PX - way :][:, :width], padded[:, MAX_DISTANCE_PX + way :][:, :width]
        np.minimum(left, right, out=candidates)
        candidates += np.int16(way**2)
        np.minimum(squares, candidates, out=squares)
    return squares
