"""Logits into probabilities, and those into the mask that metrics compare."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform

from cellseg_monai.labels import Postprocessing, foreground_mask, foreground_probability

__all__ = ["ForegroundMaskd", "ForegroundProbabilityd"]


class ForegroundProbabilityd(MapTransform):
    """Replace logits by the probability of the foreground; see `labels.foreground_probability`.

    Args:
        keys: C×Y×X logits of one class (sigmoid) or two (softmax), tensors of floating dtype; they become
            float32 1×Y×X tensors on the same device.
    """

    def __init__(self, keys: str | list[str] = "pred") -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with logits as probabilities."""
        item = dict(data)
        for key in self.key_iterator(item):
            logits = torch.as_tensor(item[key])
            probabilities = foreground_probability(logits.float().numpy(force=True))
            item[key] = torch.from_numpy(probabilities).to(logits.device)
        return item


class ForegroundMaskd(MapTransform):
    """Replace probabilities by the mask of their foreground; see `labels.foreground_mask`.

    Args:
        keys: probabilities in [0, 1], tensors of any shape and floating dtype; they become float32
            tensors of 0 and 1 on the same device.
        settings: of these, the threshold; None: the default `Postprocessing()`.
    """

    def __init__(self, keys: str | list[str] = "pred", settings: Postprocessing | None = None) -> None:
        super().__init__(keys)
        self.settings = settings or Postprocessing()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with probabilities as masks."""
        item = dict(data)
        for key in self.key_iterator(item):
            probabilities = torch.as_tensor(item[key])
            # bfloat16, which numpy lacks, and float16 fit float32 without loss.
            mask = foreground_mask(probabilities.float().numpy(force=True), self.settings)
            item[key] = torch.from_numpy(mask).to(probabilities.device, torch.float32)
        return item
