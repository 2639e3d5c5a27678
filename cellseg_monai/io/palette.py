"""Palettes: from indices to the colours or greys that the picture shows."""

from __future__ import annotations

import numpy as np

__all__ = ["apply_palette", "look_up", "palette_table"]


def apply_palette(indices: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return what a picture with a palette shows.

    Args:
        indices: any shape, bool or unsigned.
        palette: n × 3 or n × 4, unsigned; its type is the type of the result.

    Returns:
        The colours, with an axis of 3 or 4 samples added at the end; or, if every entry is an opaque
        grey, the greys in the shape of the indices. And whether they are colours.

    Raises:
        IndexError: if an index has no entry.

    >>> apply_palette(np.array([0, 1]), np.array([[9, 9, 9], [5, 5, 5]], np.uint8))
    (array([9, 5], dtype=uint8), False)
    """
    table = palette_table(palette)
    return look_up(indices, table), table.ndim == 2


def palette_table(palette: np.ndarray) -> np.ndarray:
    """Return the colours of a palette, one a row; or one grey an entry, if all are opaque greys.

    >>> palette_table(np.array([[9, 9, 9], [5, 5, 5]], np.uint8))
    array([9, 5], dtype=uint8)
    """
    opaque = palette.shape[1] == 3 or bool((palette[:, 3] == np.iinfo(palette.dtype).max).all())
    is_grey = opaque and bool((palette[:, :1] == palette[:, :3]).all())
    return np.ascontiguousarray(palette[:, 0] if is_grey else palette)


def look_up(indices: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the entry of each index.

    Raises:
        IndexError: if an index has no entry.
    """
    highest = int(indices.max(initial=0))
    if highest >= len(table):
        raise IndexError(f"index {highest} in a palette of {len(table)} entries")
    return table[indices.astype(np.intp, copy=False)]
