"""Probabilities into the mask that metrics compare."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform

from cellseg_monai.labels import Postprocessing, foreground_mask

__all__ = ["ForegroundMaskd"]


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
