"""Label images turned into what a network learns to predict: one function a target."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellseg_monai.labels.boundaries import touching_boundaries
from cellseg_monai.labels.relabel import relabel_sequential

__all__ = ["boundary_classes", "distance_target", "foreground_and_boundary", "foreground_target"]


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


def boundary_classes(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Three classes: background, interior of an object, boundary between objects that touch.

    Args:
        labels: YX integers, 0 is background.
        width: of the boundary; see `touching_boundaries`.

    Returns:
        YX uint8: 0 background, 1 interior, 2 touching boundary.

    >>> boundary_classes(np.array([[0, 4, 4, 7, 7, 0]]))
    array([[0, 1, 2, 2, 1, 0]], dtype=uint8)
    """
    return (labels > 0).astype(np.uint8) + touching_boundaries(labels, width)


def foreground_and_boundary(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Two masks that overlap: whole objects, and the boundary between objects that touch.

    Args:
        labels: YX integers, 0 is background.
        width: of the boundary; see `touching_boundaries`.

    Returns:
        2YX float32: the foreground, boundaries included; the touching boundary.

    >>> foreground_and_boundary(np.array([[0, 4, 4, 7, 7, 0]]))
    array([[[0., 1., 1., 1., 1., 0.]],
           [[0., 0., 1., 1., 0., 0.]]], dtype=float32)
    """
    return np.stack([foreground_target(labels), touching_boundaries(labels, width).astype(np.float32)])


def distance_target(labels: np.ndarray) -> np.ndarray:
    """How deep in its object a pixel lies, as a share of the object's greatest depth.

    The Euclidean distance to the nearest pixel outside the object, over its maximum in the object: small objects reach
    1 as large ones do. What lies beyond the border of the image counts as inside.

    Args:
        labels: YX integers, 0 is background; ids may have gaps and be large.

    Returns:
        YX float32 in [0, 1]: above 0 within objects, 0 elsewhere.

    Raises:
        ValueError: labels are not YX, or have negative ids.

    >>> distance_target(np.array([[0, 5, 5, 5, 0, 7, 0]]))
    array([[0. , 0.5, 1. , 0.5, 0. , 1. , 0. ]], dtype=float32)
    """
    if labels.ndim != 2:
        raise ValueError(f"labels of shape {labels.shape} came, but (Y, X) was expected; take one plane")
    target: np.ndarray = np.zeros(labels.shape, np.float32)
    # Ids without gaps: one place is found for each number up to the largest.
    labels = relabel_sequential(labels)
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels) if labels.size else [], start=1):
        # One pixel more on each side, where there is one, to see what is outside.
        around = slice(max(rows.start - 1, 0), rows.stop + 1), slice(max(columns.start - 1, 0), columns.stop + 1)
        inside = labels[around] == index
        if inside.all():
            target[around] = 1
            continue
        distance = ndimage.distance_transform_edt(inside)
        target[around][inside] = (distance / distance.max())[inside]
    return target
