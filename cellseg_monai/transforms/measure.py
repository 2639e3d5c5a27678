"""What the objects in an image are like, so that they can be brought to the size that a network expects."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.transforms import Transform

from cellseg_monai.data import neighbour_diameter_px
from cellseg_monai.labels import objects_are_dark, typical_diameter_px
from cellseg_monai.pixels import Preprocessing, select_channels

__all__ = ["MeasureObjectsd"]


class MeasureObjectsd(Transform):
    """Measure the objects of an annotated image, for `PreparePixelsd`.

    Put this transform between `LoadMicroscopyd` and `PreparePixelsd`. It sets these values of an item:

    - `object_diameter_px`: typical diameter of the objects, float; see `labels.typical_diameter_px`. An image without
      objects has the diameter of the nearest image with objects in its data set.
    - `dark_objects`: True if the objects are darker than their surroundings.

    For a network that was trained on images at their own size, such as one whose checkpoint records no diameter, the
    item stays as it is.

    Args:
        settings: preprocessing settings, which name the channels that the network sees.
        image_key: key of the image.
        label_key: key of the label.
    """

    def __init__(self, settings: Preprocessing, *, image_key: str = "image", label_key: str = "label") -> None:
        self.settings = settings
        self.image_key, self.label_key = image_key, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with `object_diameter_px` and `dark_objects`."""
        item = dict(data)
        if self.settings.diameter_px is None:
            return item
        labels = np.asarray(item[self.label_key])[0]
        diameter = typical_diameter_px(labels)
        if math.isnan(diameter):
            diameter = neighbour_diameter_px(item[f"{self.label_key}_path"])
        names = item.get(f"{self.image_key}_channel_names", ())
        chosen = select_channels(np.asarray(item[self.image_key]), self.settings.channels, channel_names=names)
        item["object_diameter_px"] = diameter
        item["dark_objects"] = objects_are_dark(chosen.mean(axis=0), labels)
        return item
