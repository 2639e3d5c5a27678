"""Logits into probabilities, those into the frame of the image file and into the mask that metrics compare."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform

from cellseg_monai.labels import Postprocessing, foreground_mask, foreground_probability
from cellseg_monai.pixels import rescale_labels

__all__ = ["ForegroundMaskd", "ForegroundProbabilityd", "ImageFramed"]


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


class ImageFramed(MapTransform):
    """Bring what was predicted at the scale of the network to the size of the image file, by nearest neighbour.

    Predictions are compared with the truth as it was annotated: were the truth brought to the scale of the network
    instead, objects that this scale loses would count as none missed. Labels that inference writes go the same way.

    Args:
        keys: 1×Y×X tensors.
        image_key: the key of the image, whose `<key>_shape` `LoadMicroscopyd` has noted.
    """

    def __init__(self, keys: str | list[str] = "pred", *, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with predictions of the image file's size."""
        item = dict(data)
        height, width = (int(length) for length in item[f"{self.image_key}_shape"])
        for key in self.key_iterator(item):
            values = torch.as_tensor(item[key])
            resampled = rescale_labels(values[0].numpy(force=True), (height, width))
            item[key] = torch.from_numpy(np.ascontiguousarray(resampled))[None].to(values.device)
        return item
