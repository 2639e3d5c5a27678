"""Label images into targets, after augmentation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform

from cellseg_monai.labels import foreground_target

__all__ = ["ForegroundTargetd"]


class ForegroundTargetd(MapTransform):
    """Replace label images by their foreground; see `labels.foreground_target`.

    To be put after the random transforms: ids, not targets, are what is moved and resampled.

    Args:
        keys: label images, 1×Y×X ids; they become float32 1×Y×X tensors of 0 and 1.
    """

    def __init__(self, keys: str | list[str] = "label") -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with labels as foreground."""
        item = dict(data)
        for key in self.key_iterator(item):
            labels = torch.as_tensor(item[key]).numpy(force=True)
            item[key] = torch.from_numpy(foreground_target(labels))
        return item
