"""Random cropping that favours contacts between objects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Randomizable

from cellseg_monai.labels import touching_boundaries

__all__ = ["RandContactCropd"]


class RandContactCropd(Randomizable, MapTransform):
    """Crop at random, placing a given share of crops around a contact between two objects.

    Contacts cover few pixels, so many purely random crops of a sparse image contain none. If an image has no contact,
    the crop is placed anywhere.

    Args:
        keys: keys of C×Y×X tensors, all of the same size and at least as large as the crop.
        roi_size: (Y, X) size of the crop in pixels.
        prob: share of crops to place around a contact, 0 to 1.
        label_key: key of the label image, 1×Y×X ids, in which to look for contacts.

    Raises:
        ValueError: raised on a call if the label image is smaller than the crop.
    """

    def __init__(
        self,
        keys: str | list[str] = ("image", "label"),  # type: ignore[assignment]
        *,
        roi_size: Sequence[int],
        prob: float = 0.5,
        label_key: str = "label",
    ) -> None:
        MapTransform.__init__(self, keys)
        self.roi_size = tuple(roi_size)
        self.prob = prob
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with cropped tensors."""
        item = dict(data)
        labels = torch.as_tensor(item[self.label_key])[0].numpy(force=True)
        starts = self._starts(labels)
        rows, columns = (slice(start, start + side) for start, side in zip(starts, self.roi_size, strict=True))
        for key in self.key_iterator(item):
            item[key] = torch.as_tensor(item[key])[:, rows, columns]
        return item

    def _starts(self, labels: np.ndarray) -> list[int]:
        largest_starts = [length - side for length, side in zip(labels.shape, self.roi_size, strict=True)]
        if min(largest_starts) < 0:
            raise ValueError(
                f"got a label image of shape {labels.shape}, expected at least {self.roi_size}; pad it before cropping"
            )
        if self.R.random_sample() < self.prob:
            contacts = np.flatnonzero(touching_boundaries(labels))
            if len(contacts):
                contact = np.unravel_index(contacts[self.R.randint(len(contacts))], labels.shape)
                # Keep the contact off the rim of the crop, where the other object might be cut off.
                return [
                    int(np.clip(position - self.R.randint(side > 2, side - (side > 2)), 0, largest))
                    for position, side, largest in zip(contact, self.roi_size, largest_starts, strict=True)
                ]
        return [self.R.randint(largest + 1) for largest in largest_starts]
