"""Telling the size of the objects in an image: from labels, from a scout, or from the user."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from monai.transforms import Transform

from cellseg_monai.errors import DatasetError
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.pixels.scale import within_reach
from cellseg_monai.scouting import Scout
from cellseg_monai.segment_options import AUTO, POLARITIES
from cellseg_monai.transforms.measure import MeasureObjectsd

__all__ = ["SizeObjectsd"]

_WORDS = ("true", "auto", "none")


class SizeObjectsd(Transform):
    """Tell the size and the polarity of the objects in an image, for `PreparePixelsd`.

    Put this transform between `LoadMicroscopyd` and `PreparePixelsd`. It sets the values `object_diameter_px` and
    `dark_objects` of an item, like `MeasureObjectsd`, but also for an image without labels. If the settings do not say
    at which diameter the network was trained, images keep their size, and nobody looks at them unless the network
    expects bright objects.

    Args:
        settings: preprocessing settings, which name the channels that the network sees.
        diameter: "true" to measure the labels; "auto" to let a scout look at each image; "none" to keep the size of the
            images; or a diameter in pixels for all images.
        scout: function that returns the scout, called for the first image. It tells what is "auto"; it is not needed
            if `diameter` is "true".
        polarity: "bright" or "dark", for objects that are brighter or darker than their surroundings in all images;
            "auto" to take what the labels or the scout tell.
        image_key: key of the image.
        label_key: key of the label, if `diameter` is "true".

    Raises:
        ValueError: the diameter is neither a positive number nor one of the words, or the polarity is unknown or has no
            effect.
    """

    def __init__(
        self,
        settings: Preprocessing,
        diameter: str | float = "true",
        scout: Callable[[], Scout] | None = None,
        *,
        polarity: str = AUTO,
        image_key: str = "image",
        label_key: str = "label",
    ) -> None:
        is_number = isinstance(diameter, int | float) and not isinstance(diameter, bool) and 0 < diameter < math.inf
        if not is_number and diameter not in _WORDS:
            raise ValueError(f"got diameter={diameter!r}, expected a number of pixels, {', '.join(_WORDS)}; choose one")
        if diameter != "true" and scout is None:
            raise ValueError(f"got diameter={diameter!r} without a scout, which tells the polarity; pass scout")
        if polarity not in POLARITIES:
            raise ValueError(f"got polarity={polarity!r}, expected {', '.join(POLARITIES)}; choose one")
        if polarity != AUTO and settings.polarity == "any":
            raise ValueError(f"got polarity={polarity!r} for a network that takes any polarity; leave it out")
        self.polarity = polarity
        self.settings, self.diameter, self.scout = settings, diameter, scout
        self.image_key = image_key
        self._measure = MeasureObjectsd(settings, image_key=image_key, label_key=label_key)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with `object_diameter_px` and `dark_objects`."""
        if self.settings.diameter_px is None and self.settings.polarity == "any":
            return {**data, "object_diameter_px": math.nan, "dark_objects": False}
        item = self._measure(data) if self.scout is None or self.diameter == "true" else self._looked_at(data)
        if self.settings.diameter_px is None:
            item["object_diameter_px"] = math.nan
        if self.polarity != AUTO:
            item["dark_objects"] = self.polarity == "dark"
        return item

    def _looked_at(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        assert self.scout is not None
        item, pixels = dict(data), np.asarray(data[self.image_key])
        try:
            sighting = self.scout().look(
                lambda rows, columns: pixels[:, rows, columns],
                (pixels.shape[1], pixels.shape[2]),
                channel_names=item.get(f"{self.image_key}_channel_names", ()),
                channels=self.settings.channels,
            )
        except ValueError as error:
            raise DatasetError(f"{item.get(f'{self.image_key}_path', 'image')}: {error}") from error
        seen_px = sighting.diameter_px
        if self.settings.diameter_px is not None:
            seen_px = within_reach(seen_px, self.settings.diameter_px)
        given_px = math.nan if isinstance(self.diameter, str) else float(self.diameter)
        item["object_diameter_px"] = seen_px if self.diameter == "auto" else given_px
        item["dark_objects"] = sighting.dark > 0.5
        return item
