"""Random crops that show a network what is rare."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Randomizable

from cellseg_monai.labels import touching_boundaries

__all__ = ["RandContactCropd"]


class RandContactCropd(Randomizable, MapTransform):
    """A random crop, which in a share of cases has a contact of two objects in it.

    Contacts are a small share of the pixels, and many crops of sparse images have none. Where the image has none, the
    crop lies anywhere.

    Args:
        keys: C×Y×X tensors of one size, no smaller than the crop.
        roi_size: (Y, X) of the crop.
        prob: the share of crops that are laid around a contact.
        label_key: the key of the label image, 1×Y×X ids, in which contacts are found.
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
        """The item, cropped."""
        item = dict(data)
        labels = torch.as_tensor(item[self.label_key])[0].numpy(force=True)
        starts = self._starts(labels)
        rows, columns = (slice(start, start + cut) for start, cut in zip(starts, self.roi_size, strict=True))
        for key in self.key_iterator(item):
            item[key] = torch.as_tensor(item[key])[:, rows, columns]
        return item

    def _starts(self, labels: np.ndarray) -> list[int]:
        room = [length - cut for length, cut in zip(labels.shape, self.roi_size, strict=True)]
        if min(room) < 0:
            raise ValueError(
                f"label of shape {labels.shape} came, but at least {self.roi_size} was expected; pad it before the crop"
            )
        if self.R.random_sample() < self.prob:
            contacts = np.flatnonzero(touching_boundaries(labels))
            if len(contacts):
                contact = np.unravel_index(contacts[self.R.randint(len(contacts))], labels.shape)
                # Anywhere in the crop, not in its middle alone; only its rim might leave the other object out.
                return [
                    int(np.clip(at - self.R.randint(cut > 2, cut - (cut > 2)), 0, most))
                    for at, cut, most in zip(contact, self.roi_size, room, strict=True)
                ]
        return [self.R.randint(most + 1) for most in room]
