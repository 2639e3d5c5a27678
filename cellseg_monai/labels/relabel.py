"""Ids of objects renumbered."""

from __future__ import annotations

import numpy as np

__all__ = ["relabel_sequential"]


def relabel_sequential(labels: np.ndarray) -> np.ndarray:
    """The same objects, numbered 1 to n without gaps, in the order of their old ids.

    scikit-image has a function of this name, whose table is as long as the largest id.

    Args:
        labels: YX integers, 0 is background.

    Returns:
        YX int32.

    Raises:
        ValueError: negative ids.

    >>> relabel_sequential(np.array([[0, 900], [7, 900]]))
    array([[0, 2],
           [1, 2]], dtype=int32)
    """
    ids, positions = np.unique(labels, return_inverse=True)
    if ids.size and ids[0] < 0:
        raise ValueError(f"id {ids[0]} came, but ids from 0, the background, were expected; renumber them")
    numbers = np.cumsum(ids > 0, dtype=np.int32)
    return numbers[positions].reshape(labels.shape)
