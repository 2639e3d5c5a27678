"""Ids of objects found along the rows, looked up in a table, renumbered."""

from __future__ import annotations

import numpy as np

__all__ = ["id_runs", "look_up", "relabel_sequential"]

# Up to here a table of all ids beats sorting the pixels, by about ten times on 2048².
_LARGEST_TABLE = 2**24
# So many are looked up at once, as processors hold them close by.
_BLOCK_PIXELS = 2**16


def id_runs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The stretches of pixels, row after row, that share an id: far fewer than pixels.

    Args:
        labels: YX integers.

    Returns:
        Of each run: the id, of the dtype of `labels`; the index of the first pixel in the flat image; the length. A
        run may go on in the next row.

    >>> id_runs(np.array([[0, 7, 7], [7, 0, 0]]))
    (array([0, 7, 0]), array([0, 1, 4]), array([1, 3, 2]))
    """
    flat = labels.ravel()
    begins: np.ndarray = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    return flat[starts], starts, np.diff(starts, append=flat.size)


def look_up(table: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`table[labels]`, some rows at a time, three times as fast: numpy would first write all ids out with 64 bits.

    Args:
        table: a value for each id, from 0 to the highest at least.
        labels: YX integers, none negative.

    Returns:
        YX of the dtype of `table`.

    >>> look_up(np.array([0, 5, 9]), np.array([[0, 2], [1, 1]]))
    array([[0, 9],
           [5, 5]])
    """
    found: np.ndarray = np.empty(labels.shape, table.dtype)
    rows = max(1, _BLOCK_PIXELS // max(1, labels.shape[1]))
    for row in range(0, len(labels), rows):
        ids: np.ndarray = labels[row : row + rows].astype(np.intp, copy=False)
        table.take(ids, out=found[row : row + rows], mode="clip")  # otherwise numpy would write to a copy first
    return found


def relabel_sequential(labels: np.ndarray) -> np.ndarray:
    """The same objects, numbered 1 to n without gaps, in the order of their old ids.

    scikit-image has a function of this name, whose table is as long as the largest id; here ids may be
    large, as hashes are.

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
    lowest, highest = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if lowest < 0:
        raise ValueError(f"id {lowest} came, but ids from 0, the background, were expected; renumber them")
    if highest > _LARGEST_TABLE:
        ids, positions = np.unique(labels, return_inverse=True)
        return np.cumsum(ids > 0, dtype=np.int32)[positions].reshape(labels.shape)
    present: np.ndarray = np.zeros(highest + 1, bool)
    present[id_runs(labels)[0]] = True
    if present[1:].all():
        return labels.astype(np.int32)
    present[0] = False
    return look_up(np.cumsum(present, dtype=np.int32) * present, labels)
