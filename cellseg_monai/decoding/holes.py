"""Fill holes, which are background components enclosed by foreground."""

from __future__ import annotations

import numpy as np

from cellseg_monai.decoding.component_runs import ComponentRuns

__all__ = ["fill_holes"]


def fill_holes(mask: np.ndarray, background: ComponentRuns, outside: np.ndarray) -> np.ndarray:
    """Fill holes like `scipy.ndimage.binary_fill_holes`, but without repeated dilation.

    Args:
        mask: Y×X bool, the foreground.
        background: components of the background, which is `~mask`.
        outside: numbers of the background components that are not holes.

    Returns:
        Y×X bool, the foreground with its holes filled; `mask` itself if it has no holes.

    >>> mask = np.array([[0, 1, 0, 1, 0]], bool)
    >>> fill_holes(mask, ComponentRuns.from_mask(~mask), np.array([1, 3]))
    array([[False,  True,  True,  True, False]])
    """
    is_hole: np.ndarray = np.ones(background.count + 1, bool)
    is_hole[outside] = False
    return mask | background.paint(is_hole) if is_hole[1:].any() else mask
