"""The picture in which outlines are checked against the image."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.atomic import replacing
from cellseg_monai.io.display import measured_channels, picture_of
from cellseg_monai.io.image import Image
from cellseg_monai.io.segmentation import Segmentation
from cellseg_monai.labels import LabelArray, draw_outlines, paint_outlines

__all__ = ["write", "write_overlay"]

LONGEST_PX = 4096
_STRIP_ROWS = 512


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the outlines over the image, its channels stretched and coloured as in reports.

    Args:
        path: ends in .png.
        segmentation: whose labels and image.

    Raises:
        ValueError: there is no image.
    """
    image, names = segmentation.image, tuple(segmentation.channel_names)
    if image is None:
        raise ValueError(f"{path}: an overlay was asked for, but no image came; pass the image, or leave it out")
    shown = measured_channels(names, image.shape[0])[:3]
    step = _step(segmentation.shape)
    small = np.stack([_means(image, channel, step) for channel in shown])
    picture = picture_of(Image(small, "CYX", channel_names=tuple(names[at] for at in shown if names)))
    paint_outlines(picture, _samples(segmentation.labels, step))
    _save(path, picture)


def write_overlay(path: str | PathLike[str], image: np.ndarray, labels: np.ndarray) -> None:
    """Write the outlines of objects over an image as PNG, of 4096 pixels on the longer side at most.

    Args:
        path: an existing file is replaced when the new one is whole.
        image: CYX in [0, 1], as `pixels.prepare` gives.
        labels: YX ids of the same size, 0 is background.

    Raises:
        ValueError: image and labels differ in size.
    """
    step = _step(labels.shape)
    if step > 1 and image.shape[1:] == labels.shape:
        image = np.stack([_means(image, channel, step) for channel in range(len(image))])
        labels = _samples(labels, step)
    _save(path, draw_outlines(image, labels))


def _save(path: str | PathLike[str], picture: np.ndarray) -> None:
    with replacing(path) as aside:
        Pillow.fromarray(picture).save(aside, format="PNG")


def _step(shape: tuple[int, ...]) -> int:
    """How many pixels on a side become one."""
    return -(-max(shape) // LONGEST_PX)


def _means(image: Any, channel: int, step: int) -> np.ndarray:
    """A channel in which each pixel is the mean of a square of the image, read some rows at a time."""
    _, height, width = image.shape
    across = np.arange(0, width, step)
    strips = []
    for top, bottom in _strips(height, step):
        strip = np.asarray(image[channel, top:bottom, 0:width])
        down = np.arange(0, bottom - top, step)
        sums = np.add.reduceat(np.add.reduceat(strip, down, axis=0, dtype=np.float64), across, axis=1)
        means = sums / np.outer(np.diff(down, append=bottom - top), np.diff(across, append=width))
        strips.append(means.astype(np.float32))
    return np.concatenate(strips)


def _samples(labels: LabelArray, step: int) -> np.ndarray:
    """The ids in the middle of each of these squares."""
    height, width = labels.shape
    strips = []
    for top, bottom in _strips(height, step):
        strip = np.asarray(labels[top:bottom, 0:width])
        strips.append(strip[np.ix_(_middles(bottom - top, step), _middles(width, step))])
    return np.concatenate(strips)


def _strips(height: int, step: int) -> list[tuple[int, int]]:
    """Where strips of whole squares begin and end."""
    rows = step * max(1, _STRIP_ROWS // step)
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _middles(length: int, step: int) -> np.ndarray:
    starts: np.ndarray = np.arange(0, length, step)
    return np.minimum(starts + step // 2, length - 1)
