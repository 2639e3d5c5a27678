"""Random colours of stained tissue."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable, Transform

from cellseg_monai.pixels import restained, turned_hue

__all__ = ["RandStainsd"]


class RandStainsd(Randomizable, Transform):
    """Change the colours of an image in red, green and blue; see `pixels.restained` and `pixels.turned_hue`.

    Images come from `PreparePixelsd`, so that 0 is the background and 1 is a dark stain. The parts of an image without
    stain stay close to 0.

    Args:
        prob: share of images with other amounts of stain, and share of images with another hue and saturation.
        strength: largest change of the amount of a stain, as the logarithm of a factor.
        hue: standard deviation of the change of hue, in radians.
        any_hue: share of the images with another hue in which it can be any, for stains that are not in the data.
        grey: share of images that lose their colour, so that grey images are segmented as well.
        image_key: key of the image, a 3×Y×X tensor.
    """

    def __init__(
        self,
        *,
        prob: float = 0.5,
        strength: float = 0.4,
        hue: float = 0.3,
        any_hue: float = 0.3,
        grey: float = 0.1,
        image_key: str = "image",
    ) -> None:
        self.prob, self.strength = prob, strength
        self.hue, self.any_hue, self.grey = hue, any_hue, grey
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with the colours of its image changed."""
        item = dict(data)
        image = torch.as_tensor(item[self.image_key]).numpy(force=True)
        if self.R.random_sample() < self.prob:
            gains = np.exp(self.R.uniform(-self.strength, self.strength, 3))
            image = restained(image, gains, self.R.uniform(-0.03, 0.03, 3))
        if self.R.random_sample() < self.prob:
            is_any = self.R.random_sample() < self.any_hue
            angle = self.R.uniform(-math.pi, math.pi) if is_any else self.R.normal(0, self.hue)
            image = turned_hue(image, angle, self.R.uniform(0.5, 1.5))
        if self.R.random_sample() < self.grey:
            image = turned_hue(image, 0.0, 0.0)
        item[self.image_key] = torch.from_numpy(np.ascontiguousarray(image))
        return item
