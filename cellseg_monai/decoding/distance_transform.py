"""The Euclidean distance to the background: exact, fast for small components, and in little memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from cellseg_monai.decoding.packing import PackedComponents

__all__ = ["MAX_DISTANCE_PX", "distance_to_background"]

# Up to this distance, squares and the sum of two of them fit into 16 bits, and `_squared_distances` is faster than
# scipy.
MAX_DISTANCE_PX = 127
# Block size chosen to fit in the cache.
_BLOCK_PIXELS = 2**16


def distance_to_background(packed: PackedComponents) -> np.ndarray:
    """Compute the Euclidean distance of each pixel of the components to the nearest background pixel.

    The values are those of `scipy.ndimage.distance_transform_edt` for the large image, but take less time and memory
    unless a component is very deep. What lies beyond the border of the image is not background. Without any background,
    the distance is 1 everywhere.

    Args:
        packed: components packed with `deepest=MAX_DISTANCE_PX`.

    Returns:
        Y×X float32 of the packed image, 0 where there is no component.

    >>> from cellseg_monai.decoding.component_runs import ComponentRuns
    >>> from cellseg_monai.decoding.packing import pack_components
    >>> components = ComponentRuns.from_mask(np.array([[0, 1, 1, 1]], bool))
    >>> (packed,) = pack_components(components, deepest=MAX_DISTANCE_PX)
    >>> distance_to_background(packed)[packed.numbers > 0]
    array([1., 2., 3.], dtype=float32)
    """
    # A component's nearest background is right next to it, so other components in the packed image make no difference.
    inside = packed.numbers > 0
    steps = _steps_along_columns(inside if packed.outside_image is None else inside | packed.outside_image)
    distances: np.ndarray = np.empty(steps.shape, np.float32)
    rows = max(1, _BLOCK_PIXELS // (steps.shape[1] + 2 * MAX_DISTANCE_PX))
    for top in range(0, len(steps), rows):
        squares = _squared_distances(steps[top : top + rows])
        if squares.max(initial=0) > MAX_DISTANCE_PX**2:  # a deep component, which is packed alone
            exact = np.ones_like(distances) if inside.all() else ndimage.distance_transform_edt(inside)
            return exact.astype(np.float32)
        np.sqrt(squares, out=distances[top : top + rows], dtype=np.float32)
    if packed.outside_image is not None:
        distances *= inside
    return distances


def _steps_along_columns(mask: np.ndarray) -> np.ndarray:
    """Return the number of rows up or down to the background, cut off just above `MAX_DISTANCE_PX`."""
    steps = np.where(mask, np.int16(MAX_DISTANCE_PX + 1), np.int16(0))
    for direction in (steps, steps[::-1]):
        for row, next_row in pairwise(direction):
            np.minimum(next_row, row + np.int16(1), out=next_row)
    return steps


def _squared_distances(steps: np.ndarray) -> np.ndarray:
    """Return the squared distance for some rows; beyond `MAX_DISTANCE_PX`, any value above its square.

    By Pythagoras, this is the least, over all columns, of the squared steps there plus the square of the way to that
    column. Ways longer than the greatest distance need not be tried.
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
