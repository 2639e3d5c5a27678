"""Label images into targets, after augmentation."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform

from cellseg_monai.labels import boundary_classes, foreground_and_boundary, foreground_target

__all__ = ["BoundaryClassesd", "ForegroundAndBoundaryd", "ForegroundTargetd"]


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
            labels = torch.as_tensor(item[key])
            target = foreground_target(labels.numpy(force=True))
            item[key] = torch.from_numpy(target).to(labels.device)  # where validation has the prediction
        return item


class _BoundaryTargetd(MapTransform):
    """Replaces label images by what a function makes of them and the width of boundaries."""

    function: Callable[[np.ndarray, int], np.ndarray]

    def __init__(self, keys: str | list[str] = "label", *, width: int = 2) -> None:
        super().__init__(keys)
        self.width = width

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with labels as targets."""
        item = dict(data)
        for key in self.key_iterator(item):
            labels = torch.as_tensor(item[key])
            target: np.ndarray = self.function(labels.numpy(force=True)[0], self.width).astype(np.float32, copy=False)
            target = target if target.ndim == 3 else target[np.newaxis]
            item[key] = torch.from_numpy(target).to(labels.device)  # where validation has the prediction
        return item


class BoundaryClassesd(_BoundaryTargetd):
    """Replace label images by background, interior and touching boundary; see `labels.boundary_classes`.

    To be put after the random transforms.

    Args:
        keys: label images, 1×Y×X ids; they become float32 1×Y×X tensors of 0, 1 and 2.
        width: of the boundary, in pixels.
    """

    function = staticmethod(boundary_classes)


class ForegroundAndBoundaryd(_BoundaryTargetd):
    """Replace label images by two masks, whole objects and touching boundaries; see `labels.foreground_and_boundary`.

    To be put after the random transforms.

    Args:
        keys: label images, 1×Y×X ids; they become float32 2×Y×X tensors of 0 and 1.
        width: of the boundary, in pixels.
    """

    function = staticmethod(foreground_and_boundary)
