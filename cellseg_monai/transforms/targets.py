"""Converting label images to training targets, after augmentation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform

from cellseg_monai.heads import NO_TAGS, Head
from cellseg_monai.labels import foreground_target

__all__ = ["EncodeTargetd", "ForegroundTargetd"]


class EncodeTargetd(MapTransform):
    """Replace label images with the training target of a head; see `heads.Head.encode`.

    Put this transform after the random transforms, which must move and resample ids, not targets.

    Args:
        head: the head of the network to be trained.
        keys: keys of the label images, 1×Y×X ids. They become float32 tensors on the same device, with the head's
            `target_channels` as the first axis.
        tags_key: key of the image's tags, for heads that need them. The item can lack this key.
        classes_key: key of the classes of the objects, N×2 integers from `LoadClassesd`. The item can lack this key.

    Raises:
        ValueError: the head returned a target of another shape.
    """

    def __init__(
        self, head: Head, keys: str | list[str] = "label", tags_key: str = "tags", classes_key: str = "classes"
    ) -> None:
        super().__init__(keys)
        self.head = head
        self.tags_key = tags_key
        self.classes_key = classes_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with targets in place of its label images."""
        item = dict(data)
        classes = item.get(self.classes_key)
        if classes is not None:
            classes = torch.as_tensor(classes).numpy(force=True)
        for key in self.key_iterator(item):
            labels = torch.as_tensor(item[key])
            target = self.head.encode(labels.numpy(force=True)[0], item.get(self.tags_key, NO_TAGS), classes)
            expected = (self.head.target_channels, *labels.shape[1:])
            if target.shape != expected:
                raise ValueError(
                    f"{type(self.head).__name__}.encode returned a target of {target.shape}, expected {expected}; "
                    "fix the head, or its target_channels"
                )
            item[key] = torch.from_numpy(target).to(labels.device)  # in validation, the prediction is on that device
        return item


class ForegroundTargetd(MapTransform):
    """Replace label images with their foreground, for mask scores; see `labels.foreground_target`.

    Args:
        keys: keys of the label images, 1×Y×X ids. They become float32 1×Y×X tensors of 0 and 1 on the same device.
    """

    def __init__(self, keys: str | list[str] = "label") -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with masks in place of its label images."""
        item = dict(data)
        for key in self.key_iterator(item):
            labels = torch.as_tensor(item[key])
            target = foreground_target(labels.numpy(force=True))
            item[key] = torch.from_numpy(target).to(labels.device)
        return item
