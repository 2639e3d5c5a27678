"""Training targets computed from label images, with one function per kind of target."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellseg_monai.labels.boundaries import touching_boundaries
from cellseg_monai.labels.relabel import relabel_sequential

__all__ = ["boundary_classes", "distance_target", "foreground_and_boundary", "foreground_target"]


def foreground_target(labels: np.ndarray) -> np.ndarray:
    """Return a mask of all objects.

    Args:
        labels: ids of any real dtype and any shape, such as Y×X; 0 is background.

    Returns:
        float32 with the shape of `labels`: 1 within objects, 0 elsewhere.

    >>> foreground_target(np.array([[0, 3, 3], [0, 0, 9]]))
    array([[0., 1., 1.],
           [0., 0., 1.]], dtype=float32)
    """
    return (labels > 0).astype(np.float32)


def boundary_classes(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Return the class of each pixel: background, interior of an object, or boundary between touching objects.

    Args:
        labels: Y×X integers, 0 is background.
        width: width of the boundary in pixels; see `touching_boundaries`.

    Returns:
        Y×X uint8: 0 background, 1 interior, 2 touching boundary.

    >>> boundary_classes(np.array([[0, 4, 4, 7, 7, 0]]))
    array([[0, 1, 2, 2, 1, 0]], dtype=uint8)
    """
    return (labels > 0).astype(np.uint8) + touching_boundaries(labels, width)


def foreground_and_boundary(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Return two overlapping masks: whole objects, and the boundary between touching objects.

    Args:
        labels: Y×X integers, 0 is background.
        width: width of the boundary in pixels; see `touching_boundaries`.

    Returns:
        2×Y×X float32 of 0 and 1: the foreground including boundaries, and the touching boundary.

    >>> foreground_and_boundary(np.array([[0, 4, 4, 7, 7, 0]]))
    array([[[0., 1., 1., 1., 1., 0.]],
           [[0., 0., 1., 1., 0., 0.]]], dtype=float32)
    """
    return np.stack([foreground_target(labels), touching_boundaries(labels, width).astype(np.float32)])


def distance_target(labels: np.ndarray) -> np.ndarray:
    """Return the depth of each pixel in its object, as a fraction of the object's greatest depth.

    The depth is the Euclidean distance to the nearest pixel outside the object. It is divided by its maximum in the
    object, so that small objects reach 1 just as large ones do. The image border does not limit the depth.

    Args:
        labels: Y×X integers, 0 is background; ids can have gaps and be large.

    Returns:
        Y×X float32 in [0, 1]: above 0 within objects, 0 elsewhere.

    Raises:
        ValueError: `labels` are not Y×X, or have negative ids.

    >>> distance_target(np.array([[0, 5, 5, 5, 0, 7, 0]]))
    array([[0. , 0.5, 1. , 0.5, 0. , 1. , 0. ]], dtype=float32)
    """
    if labels.ndim != 2:
        raise ValueError(f"got labels of shape {labels.shape}, expected (Y, X); pass one plane")
    target: np.ndarray = np.zeros(labels.shape, np.float32)
    # find_objects returns an entry for every number up to the largest id, so remove gaps in the ids first.
    labels = relabel_sequential(labels)
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels) if labels.size else [], start=1):
        # Extend the window by a pixel on each side, within the image, to include the nearest pixels outside the object.
        window = slice(max(rows.start - 1, 0), rows.stop + 1), slice(max(columns.start - 1, 0), columns.stop + 1)
        inside = labels[window] == index
        if inside.all():
            target[window] = 1
            continue
        distance = ndimage.distance_transform_edt(inside)
        target[window][inside] = (distance / distance.max())[inside]
    return target
