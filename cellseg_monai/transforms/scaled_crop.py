"""Random cropping at the scale of the network, with random deviations from it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable, Transform

from cellseg_monai.labels import touching_boundaries
from cellseg_monai.pixels import rescale_window
from cellseg_monai.pixels.scale import nearest_pixels

__all__ = ["RandScaledCropd"]

_LEAST_SIDE_PX = 8


class RandScaledCropd(Randomizable, Transform):
    """Crop at random from an image enlarged by its zoom factor times a random one.

    Put this transform after `PreparePixelsd(resample=False)`, which sets `image_zoom`. Only the crop is resampled, with
    the same functions as a whole image (`pixels.rescale`, `pixels.rescale_labels`), so that no detail is lost to an
    intermediate size. If the enlarged image is smaller than the crop, it is continued by its mirror image.

    Args:
        roi_size: (Y, X) size of the crop in pixels.
        scale_range: smallest and largest random factor. Its logarithm has a triangular distribution with the peak at a
            factor of 1.
        prob: share of crops to place around a contact between two objects; see `RandContactCropd`.
        image_key: key of the image, a C×Y×X tensor.
        label_key: key of the label image, 1×Y×X ids.
    """

    def __init__(
        self,
        *,
        roi_size: Sequence[int],
        scale_range: Sequence[float] = (1.0, 1.0),
        prob: float = 0.5,
        image_key: str = "image",
        label_key: str = "label",
    ) -> None:
        low, high = scale_range
        if not 0 < low <= 1 <= high:
            raise ValueError(
                f"got scale_range={list(scale_range)}, expected a factor of at most 1 and one of at least 1; pass "
                "[0.6, 1.6], for example"
            )
        self.roi_size = tuple(roi_size)
        self.scale_range = (float(low), float(high))
        self.prob = prob
        self.image_key, self.label_key = image_key, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with the crop of its image and its label."""
        item = dict(data)
        image = torch.as_tensor(item[self.image_key]).numpy(force=True)
        labels = torch.as_tensor(item[self.label_key])[0].numpy(force=True)
        zoom = item.pop(f"{self.image_key}_zoom") * self._random_factor()
        shape = labels.shape
        to = tuple(max(_LEAST_SIDE_PX, round(length * zoom)) for length in shape)
        starts = self._starts(labels, to)
        rows, columns = (
            slice(start, min(start + side, length))
            for start, side, length in zip(starts, self.roi_size, to, strict=True)
        )
        window = rescale_window(lambda y, x: image[:, y, x], shape, to, rows, columns)
        picked = [nearest_pixels(old, new)[axis] for old, new, axis in zip(shape, to, (rows, columns), strict=True)]
        ids = labels[np.ix_(*picked)][np.newaxis]
        # One draw for both, so that image and labels stay aligned.
        missing = [side - length for side, length in zip(self.roi_size, ids.shape[1:], strict=True)]
        before = [self.R.randint(length + 1) for length in missing]
        margins = [(0, 0), *((first, length - first) for first, length in zip(before, missing, strict=True))]
        for key, crop in ((self.image_key, window), (self.label_key, ids)):
            item[key] = torch.from_numpy(np.ascontiguousarray(np.pad(crop, margins, mode="symmetric")))
        return item

    def _random_factor(self) -> float:
        low, high = (math.log(factor) for factor in self.scale_range)
        return math.exp(self.R.triangular(low, 0.0, high)) if low < high else 1.0

    def _starts(self, labels: np.ndarray, to: tuple[int, ...]) -> list[int]:
        """Return the first row and the first column of the crop in the enlarged image."""
        largest_starts = [max(0, length - side) for length, side in zip(to, self.roi_size, strict=True)]
        if self.R.random_sample() < self.prob:
            contacts = np.flatnonzero(touching_boundaries(labels))
            if len(contacts):
                contact = np.unravel_index(contacts[self.R.randint(len(contacts))], labels.shape)
                # Keep the contact off the rim of the crop, where the other object might be cut off.
                return [
                    int(np.clip(position * new // old - self.R.randint(1, side - 1), 0, largest))
                    for position, new, old, side, largest in zip(
                        contact, to, labels.shape, self.roi_size, largest_starts, strict=True
                    )
                ]
        return [self.R.randint(largest + 1) for largest in largest_starts]
