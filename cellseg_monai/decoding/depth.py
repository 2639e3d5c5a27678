"""How deep in the foreground each pixel lies: the Euclidean distance to the background, exact, and in little memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from cellseg_monai.decoding.canvas import Canvas

__all__ = ["DEEPEST", "depth"]

# Up to here squares, and the sums of two, fit 16 bits, and `_squares` beats scipy.
DEEPEST = 127
# So many are worked on at once, as processors hold them close by.
_BLOCK_PIXELS = 2**16


def depth(canvas: Canvas) -> np.ndarray:
    """The Euclidean distance of each piece's pixels to the nearest pixel of the background.

    As `scipy.ndimage.distance_transform_edt` gives it, but faster and in less memory where no piece is very deep. What
    lies beyond the border of the image is no background; without any background, the depth is 1 everywhere.

    Args:
        canvas: of the foreground, made for pieces as deep as `DEEPEST`.

    Returns:
        YX float32 of the canvas, 0 where there is no piece.

    >>> from cellseg_monai.decoding.canvas import canvases
    >>> from cellseg_monai.decoding.pieces import Pieces
    >>> (canvas,) = canvases(Pieces.of(np.array([[0, 1, 1, 1]], bool)), deepest=DEEPEST)
    >>> depth(canvas)[canvas.numbers > 0]
    array([1., 2., 3.], dtype=float32)
    """
    # Pieces are apart by background, so what is nearest to one lies around it, and others may be as far as they are.
    inside = canvas.numbers > 0
    steps = _steps(inside if canvas.beyond is None else inside | canvas.beyond)
    depths: np.ndarray = np.empty(steps.shape, np.float32)
    rows = max(1, _BLOCK_PIXELS // (steps.shape[1] + 2 * DEEPEST))
    for top in range(0, len(steps), rows):
        squares = _squares(steps[top : top + rows])
        if squares.max(initial=0) > DEEPEST**2:  # one piece that has this canvas for itself
            found = np.ones_like(depths) if inside.all() else ndimage.distance_transform_edt(inside)
            return found.astype(np.float32)
        np.sqrt(squares, out=depths[top : top + rows], dtype=np.float32)
    if canvas.beyond is not None:
        depths *= inside
    return depths


def _steps(mask: np.ndarray) -> np.ndarray:
    """Rows up or down to the background, no more than just too many."""
    steps = np.where(mask, np.int16(DEEPEST + 1), np.int16(0))
    for way in (steps, steps[::-1]):
        for row, after in pairwise(way):
            np.minimum(after, row + np.int16(1), out=after)
    return steps


def _squares(steps: np.ndarray) -> np.ndarray:
    """The square of the depth, of some rows; where it is too deep, any greater than that of the deepest.

    By Pythagoras: the least, over the columns, of the square of the steps there and that of the way to it. Ways longer
    than the deepest pixel is deep need no look.
    """
    width = steps.shape[1]
    wider: np.ndarray = np.full((len(steps), width + 2 * DEEPEST), (DEEPEST + 1) ** 2, np.int16)
    middle = wider[:, DEEPEST : DEEPEST + width]
    np.multiply(steps, steps, out=middle)
    squares = middle.copy()
    beside = np.empty_like(squares)
    for way in range(1, DEEPEST + 1):
        if way**2 >= squares.max(initial=0):
            break
        np.minimum(wider[:, DEEPEST - way :][:, :width], wider[:, DEEPEST + way :][:, :width], out=beside)
        beside += np.int16(way**2)
        np.minimum(squares, beside, out=squares)
    return squares
