"""Random faults of a microscope's light and of stitched or shifted images."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable, Transform

__all__ = ["RandMarginsd", "RandUnevenLightd"]


class RandUnevenLightd(Randomizable, Transform):
    """Darken an image towards one side or towards its corners, and lift its background.

    Images come from `PreparePixelsd`, so that 0 is the background and 1 is bright. The same fault is applied to all
    channels.

    Args:
        prob: share of images with uneven light, and share of images with a raised background.
        darkest: largest loss of light, as a share.
        highest: highest level to which the background is raised, or to which it rises towards one side.
        image_key: key of the image, a C×Y×X tensor.
    """

    def __init__(
        self, *, prob: float = 0.3, darkest: float = 0.6, highest: float = 0.5, image_key: str = "image"
    ) -> None:
        self.prob, self.darkest, self.highest = prob, darkest, highest
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with its image changed."""
        item = dict(data)
        image = torch.as_tensor(item[self.image_key])
        if self.R.random_sample() < self.prob:
            image = image * (1 - self.R.uniform(0, self.darkest) * self._field(image.shape[1:]))
        if self.R.random_sample() < self.prob:
            raised = self.R.uniform(0, self.highest)
            level = raised * (self._field(image.shape[1:]) if self.R.random_sample() < 0.5 else 1.0)
            image = level + (1 - level) * image
        item[self.image_key] = image
        return item

    def _field(self, shape: torch.Size) -> torch.Tensor:
        """Return a smooth Y×X field from 0 to 1: a slope, or the squared distance from a point."""
        rows, columns = (torch.linspace(-1, 1, length) for length in shape)
        if self.R.random_sample() < 0.5:
            angle = self.R.uniform(0, 2 * math.pi)
            field = math.cos(angle) * rows[:, None] + math.sin(angle) * columns[None]
        else:
            top, left = self.R.uniform(-1, 1, 2)
            field = (rows[:, None] - top) ** 2 + (columns[None] - left) ** 2
        return (field - field.min()) / (field.max() - field.min())


class RandMarginsd(Randomizable, Transform):
    """Take the data away from a margin of an image, as in stitched or shifted images and round fields of view.

    Pixels without data become 0, as in `pixels.prepare`, and lose their labels.

    Args:
        prob: share of images with a margin.
        largest: largest width of a margin, as a share of the image.
        image_key: key of the image, a C×Y×X tensor.
        label_key: key of the label image, 1×Y×X ids.
    """

    def __init__(
        self, *, prob: float = 0.1, largest: float = 0.4, image_key: str = "image", label_key: str = "label"
    ) -> None:
        self.prob, self.largest = prob, largest
        self.image_key, self.label_key = image_key, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with a margin in its image and its label."""
        item = dict(data)
        if self.R.random_sample() >= self.prob:
            return item
        image = torch.as_tensor(item[self.image_key])
        missing = torch.from_numpy(self._margin(tuple(image.shape[1:])))
        item[self.image_key] = image.masked_fill(missing, 0)
        item[self.label_key] = torch.as_tensor(item[self.label_key]).masked_fill(missing, 0)
        return item

    def _margin(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return a Y×X mask of a straight, oblique or round margin."""
        rows, columns = (np.linspace(0, 1, length) for length in shape)
        kind, width = self.R.randint(3), self.R.uniform(0, self.largest)
        if kind == 0:
            position = (rows[:, None] + 0 * columns, 0 * rows[:, None] + columns)[self.R.randint(2)]
            margin = position < width
            return margin if self.R.random_sample() < 0.5 else margin[::-1, ::-1].copy()
        angle = self.R.uniform(0, 2 * math.pi)
        along = math.cos(angle) * (rows[:, None] - 0.5) + math.sin(angle) * (columns[None] - 0.5)
        if kind == 1:
            return np.asarray(along < np.quantile(along, width))
        # A round field of view, of which the crop shows an edge.
        radius = self.R.uniform(0.5, 3)
        middle = 0.5 + radius * np.array([math.cos(angle), math.sin(angle)])
        distance = np.hypot(rows[:, None] - middle[0], columns[None] - middle[1])
        return np.asarray(distance > np.quantile(distance, 1 - width))
