"""Draw object outlines over the image, for checking a segmentation by eye."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.io.display import measured_channels, picture_of
from cellseg_monai.io.image import Image
from cellseg_monai.io.shrinking import shrink
from cellseg_monai.labels import class_colours, draw_outlines, paint_classes, paint_outlines

__all__ = ["write", "write_overlay"]

LONGEST_PX = 4096


def write(path: Path, segmentation: Segmentation) -> None:
    """Write a picture of the image with the object outlines drawn over it.

    Channels are stretched and coloured as in reports. Large images are shrunk to at most 4096 pixels on the longer
    side. Objects of different classes have outlines of different colours.

    Args:
        path: file to write, ending in .png.
        segmentation: objects to draw, with their image.

    Raises:
        ValueError: the segmentation has no image.
    """
    image, names = segmentation.image, tuple(segmentation.channel_names)
    if image is None:
        raise ValueError(f"{path}: an overlay needs an image; pass the image, or omit the overlay")
    channels = measured_channels(names, image.shape[0])[:3]
    small, labels = shrink(image, segmentation.labels, channels, longest_px=LONGEST_PX)
    picture = picture_of(Image(small, "CYX", channel_names=tuple(names[channel] for channel in channels if names)))
    table = segmentation.table
    if table.classes:
        listed = np.stack([table["id"].astype(np.int64), table.class_numbers], axis=1)
        paint_classes(picture, labels, listed, class_colours(len(table.classes)))
    else:
        paint_outlines(picture, labels)
    _save(path, picture)


def write_overlay(path: str | PathLike[str], image: np.ndarray, labels: np.ndarray) -> None:
    """Write a PNG of an image with object outlines drawn over it, at most 4096 pixels on the longer side.

    Args:
        path: file to write; an existing file is replaced once the new one is complete.
        image: CYX array in [0, 1], as returned by `pixels.prepare`.
        labels: YX array of ids, with the same height and width as the image; 0 is background.

    Raises:
        ValueError: the image and the labels differ in height or width.
    """
    if max(labels.shape) > LONGEST_PX and image.shape[1:] == labels.shape:
        image, labels = shrink(image, labels, range(len(image)), longest_px=LONGEST_PX)
    _save(path, draw_outlines(image, labels))


def _save(path: str | PathLike[str], picture: np.ndarray) -> None:
    with replacing(path) as aside:
        Pillow.fromarray(picture).save(aside, format="PNG")
