"""Label images turned into what a network learns to predict: one function a target."""

from __future__ import annotations

import numpy as np

__all__ = ["foreground_target"]


def foreground_target(labels: np.ndarray) -> np.ndarray:
    """Where any object is.

    Args:
        labels: ids of any real dtype, 0 is background; any shape, such as YX.

    Returns:
        float32 of the shape of `labels`: 1 within objects, 0 elsewhere.

    >>> foreground_target(np.array([[0, 3, 3], [0, 0, 9]]))
    array([[0., 1., 1.],
           [0., 0., 1.]], dtype=float32)
    """
    return (labels > 0).astype(np.float32)
