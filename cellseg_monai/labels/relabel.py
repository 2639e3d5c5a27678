"""Ids of objects found along the rows, looked up in a table, renumbered."""

from __future__ import annotations

import numpy as np

__all__ = ["id_runs", "look_up", "numbered", "relabel_sequential", "run_pixels"]

# Up to here a table of all ids beats sorting the pixels, by about ten times on 2048².
_LARGEST_TABLE = 2**24
# So many are looked up at once, as processors hold them close by.
_BLOCK_PIXELS = 2**16


def id_runs(labels: np.ndarray, *, by_row: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The stretches of pixels, row after row, that share an id: far fewer than pixels.

    Args:
        labels: YX integers.
        by_row: whether runs end with their row; otherwise one may go on in the next.

    Returns:
        Of each run: the id, of the dtype of `labels`; the index of the first pixel in the flat image; the length.

    >>> id_runs(np.array([[0, 7, 7], [7, 0, 0]]))
    (array([0, 7, 0]), array([0, 1, 4]), array([1, 3, 2]))
    >>> id_runs(np.array([[0, 7, 7], [7, 0, 0]]), by_row=True)
    (array([0, 7, 7, 0]), array([0, 1, 3, 4]), array([1, 2, 1, 2]))
    """
    flat = labels.ravel()
    begins: np.ndarray = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    if by_row and flat.size:
        begins[:: labels.shape[1]] = True
    starts = np.flatnonzero(begins)
    return flat[starts], starts, np.diff(starts, append=flat.size)


def run_pixels(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """All pixels of stretches of pixels, one stretch after another.

    Args:
        starts: of each the first pixel, integers of the dtype that the result shall have.
        lengths: of each.

    >>> run_pixels(np.array([4, 0]), np.array([3, 1]))
    array([4, 5, 6, 0])
    """
    pixels = np.arange(lengths.sum(), dtype=starts.dtype)
    pixels += np.repeat(starts - (np.cumsum(lengths) - lengths).astype(starts.dtype), lengths)
    return pixels


def look_up(table: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`table[labels]`, some rows at a time, three times as fast: numpy would first write all ids out with 64 bits.

    Args:
        table: a value for each id, from 0 to the highest at least.
        labels: YX integers, none negative.

    Returns:
        YX of the dtype of `table`.

    Raises:
        IndexError: an id without a value, or a negative one.

    >>> look_up(np.array([0, 5, 9]), np.array([[0, 2], [1, 1]]))
    array([[0, 9],
           [5, 5]])
    """
    found: np.ndarray = np.empty(labels.shape, table.dtype)
    rows = max(1, _BLOCK_PIXELS // max(1, labels.shape[1]))
    for row in range(0, len(labels), rows):
        ids: np.ndarray = labels[row : row + rows].astype(np.intp, copy=False)
        if ids.size and int(ids.view(np.uintp).max()) >= len(table):  # of negative ones the unsigned are huge
            raise IndexError(f"ids from {ids.min()} to {ids.max()} came, but the table ends at {len(table) - 1}")
        table.take(ids, out=found[row : row + rows], mode="clip")  # otherwise numpy would write to a copy first
    return found


def numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ids that occur, increasing, and of each value its position among them.

    Args:
        values: one dimension of integers from 0, not empty.

    >>> numbered(np.array([7, 900, 7]))
    (array([  7, 900]), array([0, 1, 0], dtype=int32))
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    highest = int(values.max())
    if highest > 4 * len(values) + 2**16:  # a table would be longer than what is sorted here
        ids, positions = np.unique(values, return_inverse=True)
        return ids, positions
    numbers: np.ndarray = np.zeros(highest + 1, np.int32)
    numbers[values] = 1
    ids = np.flatnonzero(numbers)
    numbers[ids] = np.arange(len(ids))
    return ids.astype(values.dtype), numbers[values]


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
