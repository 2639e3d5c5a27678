"""Convert the indices in a palette image to colours or greys."""

from __future__ import annotations

import numpy as np

__all__ = ["apply_palette", "look_up", "palette_table"]


def apply_palette(indices: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the colours or greys that the indices in a palette image stand for.

    Args:
        indices: bool or unsigned array of any shape.
        palette: n × 3 or n × 4 array of unsigned colours; the result has the same type.

    Returns:
        The values, and True if they are colours. For colours, an axis of 3 or 4 samples is appended. If every palette
        entry is an opaque grey, the values are greys in the shape of the indices.

    Raises:
        IndexError: the palette has no entry for an index.

    >>> apply_palette(np.array([0, 1]), np.array([[9, 9, 9], [5, 5, 5]], np.uint8))
    (array([9, 5], dtype=uint8), False)
    """
    table = palette_table(palette)
    return look_up(indices, table), table.ndim == 2


def palette_table(palette: np.ndarray) -> np.ndarray:
    """Return a palette as a look-up table: one colour per row, or one grey per entry if all are opaque greys.

    >>> palette_table(np.array([[9, 9, 9], [5, 5, 5]], np.uint8))
    array([9, 5], dtype=uint8)
    """
    opaque = palette.shape[1] == 3 or bool((palette[:, 3] == np.iinfo(palette.dtype).max).all())
    is_grey = opaque and bool((palette[:, :1] == palette[:, :3]).all())
    return np.ascontiguousarray(palette[:, 0] if is_grey else palette)


def look_up(indices: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the table entry for each index.

    Args:
        indices: array of any shape.
        table: look-up table, as returned by `palette_table`.

    Raises:
        IndexError: the table has no entry for an index.
    """
    highest = int(indices.max(initial=0))
    if highest >= len(table):
        raise IndexError(f"got index {highest}, but the palette has only {len(table)} entries")
    return table[indices.astype(np.intp, copy=False)]
