"""Shrink images and labels of any size for viewing, reading a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cellseg_monai.boxes import SlicedArray

__all__ = ["middle_samples", "shrink", "shrinking_step", "square_means"]

_STRIP_ROWS = 512


def shrink(
    image: Any, labels: SlicedArray, channels: Sequence[int], *, longest_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its labels, shrunk until no side exceeds a limit.

    Args:
        image: CYX array, or anything that can be sliced like one.
        labels: YX array of ids with the same height and width, or anything that can be sliced like one.
        channels: indices of the channels to return.
        longest_px: maximum length of a side, in pixels.

    Returns:
        The image as a CYX array of float32, in which each pixel is the mean of a square, and the labels as a YX array
        of ids from the middle of each square.

    >>> shrink(np.array([[[1, 3, 9], [1, 3, 9]]]), np.array([[1, 1, 9], [1, 2, 9]]), [0], longest_px=2)
    (array([[[2., 9.]]], dtype=float32), array([[2, 9]]))
    """
    step = shrinking_step(labels.shape, longest_px)
    return square_means(image, channels, step), middle_samples(labels, step)


def shrinking_step(shape: tuple[int, ...], longest_px: int) -> int:
    """Return the side of the squares that each become one pixel, so that no side of the image exceeds a limit.

    Args:
        shape: (Y, X) shape of the image.
        longest_px: maximum length of a side, in pixels.

    >>> shrinking_step((100, 250), 100)
    3
    """
    return -(-max(shape) // longest_px)


def square_means(image: Any, channels: Sequence[int], step: int) -> np.ndarray:
    """Return a shrunken image in which each pixel is the mean of a square, reading a few rows at a time.

    Args:
        image: CYX array, or anything that can be sliced like one.
        channels: indices of the channels to return. The same rows are read from each channel before moving on, so that
            a strip or tile that holds all channels is still cached.
        step: side of the squares in pixels; squares at the far edges can be smaller.

    Returns:
        CYX array of float32.

    >>> square_means(np.array([[[1, 3, 9], [1, 3, 9]]]), [0], 2)
    array([[[2., 9.]]], dtype=float32)
    """
    _, height, width = image.shape
    strips = [
        np.stack([_means(np.asarray(image[channel, top:bottom, 0:width]), step) for channel in channels])
        for top, bottom in _strips(height, step)
    ]
    return np.concatenate(strips, axis=1)


def _means(strip: np.ndarray, step: int) -> np.ndarray:
    height, width = strip.shape
    down, across = np.arange(0, height, step), np.arange(0, width, step)
    sums = np.add.reduceat(np.add.reduceat(strip, down, axis=0, dtype=np.float64), across, axis=1)
    means: np.ndarray = sums / np.outer(np.diff(down, append=height), np.diff(across, append=width))
    return means.astype(np.float32)


def middle_samples(labels: SlicedArray, step: int) -> np.ndarray:
    """Return the id in the middle of each square, reading a few rows at a time.

    Args:
        labels: YX array of ids, or anything that can be sliced like one.
        step: side of the squares in pixels.

    >>> middle_samples(np.array([[1, 1, 9], [1, 2, 9]]), 2)
    array([[2, 9]])
    """
    height, width = labels.shape
    strips = []
    for top, bottom in _strips(height, step):
        strip = np.asarray(labels[top:bottom, 0:width])
        strips.append(strip[np.ix_(_middles(bottom - top, step), _middles(width, step))])
    return np.concatenate(strips)


def _strips(height: int, step: int) -> list[tuple[int, int]]:
    """Return the start and stop rows of strips that consist of whole squares."""
    rows = step * max(1, _STRIP_ROWS // step)
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _middles(length: int, step: int) -> np.ndarray:
    """Return the middle index of each square along one side of the image."""
    starts: np.ndarray = np.arange(0, length, step)
    return np.minimum(starts + step // 2, length - 1)
