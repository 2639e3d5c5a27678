"""Outlines of objects, and pictures that show the outlines over the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellseg_monai.labels.object_classes import class_image

__all__ = ["draw_outlines", "inner_outlines", "paint_classes", "paint_outlines"]

_YELLOW = (255, 225, 25)


def inner_outlines(labels: np.ndarray) -> np.ndarray:
    """Mark the object pixels that share an edge with another object or the background.

    Where the image border cuts an object, its outline is open.

    Args:
        labels: YX integers, 0 is background.

    Returns:
        YX bool.

    >>> inner_outlines(np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]])).astype(int)
    array([[0, 0, 1, 0],
           [0, 0, 1, 0],
           [0, 0, 1, 0]])
    """
    outlines: np.ndarray = np.zeros(labels.shape, bool)
    down = labels[1:] != labels[:-1]
    across = labels[:, 1:] != labels[:, :-1]
    outlines[1:] |= down
    outlines[:-1] |= down
    outlines[:, 1:] |= across
    outlines[:, :-1] |= across
    return outlines & (labels > 0)


def draw_outlines(image: np.ndarray, labels: np.ndarray, *, colour: tuple[int, int, int] = _YELLOW) -> np.ndarray:
    """Draw the outlines of objects over an image, as an 8-bit colour picture.

    Args:
        image: CYX in [0, 1], as returned by `pixels.prepare`; values outside this range are clipped. Three channels are
            shown in colour. Otherwise, the mean of the channels is shown in grey.
        labels: YX integers of the same size, 0 is background.
        colour: red, green and blue of the outlines, 0 to 255.

    Returns:
        YX3 uint8.

    Raises:
        ValueError: image and labels differ in size.

    >>> draw_outlines(np.ones((1, 1, 2)), np.array([[0, 4]]), colour=(255, 0, 0)).tolist()
    [[[255, 255, 255], [255, 0, 0]]]
    """
    if image.shape[1:] != labels.shape:
        raise ValueError(
            f"got an image of shape {image.shape} and labels of shape {labels.shape}, expected equal Y and X; "
            "rescale the image or the labels"
        )
    shown = image if len(image) == 3 else np.repeat(image.mean(axis=0, keepdims=True), 3, axis=0)
    picture: np.ndarray = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0).copy()
    paint_outlines(picture, labels, colour=colour)
    return picture


def paint_outlines(picture: np.ndarray, labels: np.ndarray, *, colour: tuple[int, int, int] = _YELLOW) -> None:
    """Paint the outlines of objects onto a picture.

    Args:
        picture: YX3 uint8, changed in place.
        labels: YX integers of the same size, 0 is background.
        colour: red, green and blue of the outlines, 0 to 255.

    >>> picture = np.zeros((1, 2, 3), np.uint8)
    >>> paint_outlines(picture, np.array([[0, 4]]), colour=(255, 0, 0))
    >>> picture.tolist()
    [[[0, 0, 0], [255, 0, 0]]]
    """
    picture[inner_outlines(labels)] = colour


def paint_classes(
    picture: np.ndarray, labels: np.ndarray, classes: np.ndarray, colours: Sequence[tuple[int, int, int]]
) -> None:
    """Paint the outlines of objects onto a picture, in the colour of their class.

    Args:
        picture: YX3 uint8, changed in place.
        labels: YX integers of the same size, 0 is background.
        classes: N×2 integers, the ids of objects and the numbers of their classes. All other objects are yellow.
        colours: red, green and blue of each class, 0 to 255.

    >>> picture = np.zeros((1, 3, 3), np.uint8)
    >>> paint_classes(picture, np.array([[4, 0, 7]]), np.array([[4, 1], [7, 0]]), [(255, 0, 0), (0, 0, 9)])
    >>> picture.tolist()
    [[[0, 0, 9], [0, 0, 0], [255, 0, 0]]]
    """
    outlines = inner_outlines(labels)
    palette: np.ndarray = np.array([_YELLOW, *colours], np.uint8)  # UNKNOWN is -1
    picture[outlines] = palette[class_image(labels[outlines], classes) + 1]
