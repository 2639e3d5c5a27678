"""Turn the indices of a picture with a palette into colours or greys."""

from __future__ import annotations

import numpy as np

__all__ = ["apply_palette", "look_up", "palette_table"]


def apply_palette(indices: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the colours or greys that a picture with a palette shows.

    Args:
        indices: indices of any shape, bool or unsigned.
        palette: n × 3 or n × 4 colours, unsigned; the result has the same type.

    Returns:
        The values, and True if they are colours. Colours have an additional last axis of 3 or 4 samples. If every entry
        of the palette is an opaque grey, the values are greys in the shape of the indices.

    Raises:
        IndexError: the palette has no entry for an index.

    >>> apply_palette(np.array([0, 1]), np.array([[9, 9, 9], [5, 5, 5]], np.uint8))
    (array([9, 5], dtype=uint8), False)
    """
    table = palette_table(palette)
    return look_up(indices, table), table.ndim == 2


def palette_table(palette: np.ndarray) -> np.ndarray:
    """Return the colours of a palette, one in each row, or one grey for each entry if all are opaque greys.

    >>> palette_table(np.array([[9, 9, 9], [5, 5, 5]], np.uint8))
    array([9, 5], dtype=uint8)
    """
    opaque = palette.shape[1] == 3 or bool((palette[:, 3] == np.iinfo(palette.dtype).max).all())
    is_grey = opaque and bool((palette[:, :1] == palette[:, :3]).all())
    return np.ascontiguousarray(palette[:, 0] if is_grey else palette)


def look_up(indices: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the entry of each index.

    Args:
        indices: indices of any shape.
        table: entries, as returned by `palette_table`.

    Raises:
        IndexError: the table has no entry for an index.
    """
    highest = int(indices.max(initial=0))
    if highest >= len(table):
        raise IndexError(f"index {highest} exceeds a palette of {len(table)} entries")
    return table[indices.astype(np.intp, copy=False)]
