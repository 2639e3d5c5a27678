"""The class of an image, such as its cell type, from the maps of a network that predicts one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cellseg_monai.boxes import squares
from cellseg_monai.decoding import Maps
from cellseg_monai.exports import Segmentation

__all__ = ["classified_image", "image_class_probabilities"]

_PREFIX = "image_class/"
_BLOCK_PX = 2048


def classified_image(segmentation: Segmentation, maps: Maps) -> Segmentation:
    """Return a segmented plane with the probabilities of the classes of the image.

    The table gets the columns `image_class`, the likeliest class, and `image_class_probability`, which are the same for
    all objects. Without maps of such classes, nothing changes.

    Args:
        segmentation: the objects in the plane.
        maps: the maps of the plane at any scale.
    """
    probabilities = image_class_probabilities(maps)
    if not probabilities:
        return segmentation
    name = max(probabilities, key=probabilities.__getitem__)
    count = len(segmentation.table)
    table = segmentation.table.with_columns(
        image_class=np.full(count, name), image_class_probability=np.full(count, probabilities[name])
    )
    return replace(segmentation, table=table, image_classes=probabilities)


def image_class_probabilities(maps: Maps) -> dict[str, float]:
    """Return the probability of each class of the image: the mean of its map, which tiles make differ between pixels.

    Args:
        maps: Y×X maps by name, of which only those called `image_class/<name>` are used; they are only sliced.

    >>> image_class_probabilities({"foreground": np.ones((1, 2)), "image_class/BV2": np.array([[0.5, 0.25]])})
    {'BV2': 0.375}
    """
    return {
        name.removeprefix(_PREFIX): sum(
            float(np.asarray(values[rows, columns]).sum(dtype=np.float64))
            for rows, columns in squares(values.shape, _BLOCK_PX)
        )
        / (values.shape[0] * values.shape[1])
        for name, values in maps.items()
        if name.startswith(_PREFIX)
    }
