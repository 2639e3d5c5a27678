"""The picture in which outlines are checked against the image."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.atomic import replacing
from cellseg_monai.io.display import measured_channels, picture_of
from cellseg_monai.io.image import Image
from cellseg_monai.io.segmentation import Segmentation
from cellseg_monai.io.shrinking import middle_samples, shrinking_step, square_means
from cellseg_monai.labels import draw_outlines, paint_outlines

__all__ = ["write", "write_overlay"]

LONGEST_PX = 4096


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
    step = shrinking_step(segmentation.shape, LONGEST_PX)
    small = square_means(image, shown, step)
    picture = picture_of(Image(small, "CYX", channel_names=tuple(names[at] for at in shown if names)))
    paint_outlines(picture, middle_samples(segmentation.labels, step))
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
    step = shrinking_step(labels.shape, LONGEST_PX)
    if step > 1 and image.shape[1:] == labels.shape:
        image = square_means(image, range(len(image)), step)
        labels = middle_samples(labels, step)
    _save(path, draw_outlines(image, labels))


def _save(path: str | PathLike[str], picture: np.ndarray) -> None:
    with replacing(path) as aside:
        Pillow.fromarray(picture).save(aside, format="PNG")
