"""Holes: background that foreground encloses."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellseg_monai.labels.relabel import look_up

__all__ = ["background_pieces", "fill_holes", "numbers_at_border"]


def background_pieces(mask: np.ndarray) -> np.ndarray:
    """The background in pieces that hang together by their edges.

    Args:
        mask: YX bool, the foreground.

    Returns:
        YX int32, from 1 on; 0 is foreground.

    >>> background_pieces(np.array([[0, 1, 0, 0]], bool))
    array([[1, 0, 2, 2]], dtype=int32)
    """
    return np.asarray(ndimage.label(~mask)[0])


def numbers_at_border(pieces: np.ndarray) -> np.ndarray:
    """The numbers of pieces that touch the border of the image: the background that is no hole.

    Args:
        pieces: YX integers, not empty; 0 is no piece.

    Returns:
        Sorted, each once.

    >>> numbers_at_border(np.array([[0, 3, 3], [0, 7, 0], [0, 0, 1]]))
    array([1, 3])
    """
    numbers = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    return numbers[numbers > 0]


def fill_holes(pieces: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The foreground and its holes, as `scipy.ndimage.binary_fill_holes` gives them, without its many dilations.

    Args:
        pieces: YX int32, those of the background.
        outside: the numbers of those that are no holes.

    Returns:
        YX bool.

    >>> fill_holes(np.array([[1, 0, 2, 0, 3]]), np.array([1, 3]))
    array([[False,  True,  True,  True, False]])
    """
    filled: np.ndarray = np.ones(pieces.max(initial=0) + 1, bool)
    filled[outside] = False
    return look_up(filled, pieces)
