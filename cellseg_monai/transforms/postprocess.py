"""Logits into probabilities, those into masks and objects, in the frame of the image file."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform

from cellseg_monai.decoding import (
    Postprocessing,
    boundary_probabilities,
    foreground_mask,
    foreground_probability,
    label_objects,
)
from cellseg_monai.pixels import rescale_labels

__all__ = ["BoundaryProbabilitiesd", "ForegroundMaskd", "ForegroundProbabilityd", "ImageFramed", "LabelObjectsd"]


class _Probabilitiesd(MapTransform):
    """Replaces logits by what a function of numpy arrays makes of them."""

    function: Callable[[np.ndarray], np.ndarray]

    def __init__(self, keys: str | list[str] = "pred") -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with logits as probabilities."""
        item = dict(data)
        for key in self.key_iterator(item):
            logits = torch.as_tensor(item[key])
            probabilities = self.function(logits.float().numpy(force=True))
            item[key] = torch.from_numpy(probabilities).to(logits.device)
        return item


class ForegroundProbabilityd(_Probabilitiesd):
    """Replace logits by the probability of the foreground; see `decoding.foreground_probability`.

    Args:
        keys: C×Y×X logits of one class (sigmoid) or two (softmax), tensors of floating dtype; they become
            float32 1×Y×X tensors on the same device.
    """

    function = staticmethod(foreground_probability)


class BoundaryProbabilitiesd(_Probabilitiesd):
    """Replace logits by the probabilities of foreground and touching boundary; see `decoding.boundary_probabilities`.

    Args:
        keys: C×Y×X logits of three classes (softmax) or two masks (sigmoid), tensors of floating dtype; they become
            float32 2×Y×X tensors on the same device.
    """

    function = staticmethod(boundary_probabilities)


class ForegroundMaskd(MapTransform):
    """Replace probabilities by the mask of their foreground; see `decoding.foreground_mask`.

    Args:
        keys: C×Y×X probabilities in [0, 1] of any floating dtype, the foreground first; they become float32 1×Y×X
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
            mask = foreground_mask(probabilities[:1].float().numpy(force=True), self.settings)
            item[key] = torch.from_numpy(mask).to(probabilities.device, torch.float32)
        return item


class ImageFramed(MapTransform):
    """Bring what was predicted at the scale of the network to the size of the image file, by nearest neighbour.

    Predictions are compared with the truth as it was annotated: were the truth brought to the scale of the network
    instead, objects that this scale loses would count as none missed. Labels that inference writes go the same way.

    Args:
        keys: C×Y×X tensors.
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
            planes = [rescale_labels(plane, (height, width)) for plane in values.numpy(force=True)]
            item[key] = torch.from_numpy(np.stack(planes)).to(values.device)
        return item


class LabelObjectsd(MapTransform):
    """Make objects of probabilities, in the frame of the image file; see `decoding.label_objects`.

    Args:
        keys: C×Y×X probabilities in [0, 1] of any floating dtype, at the scale of the network; they stay as they are.
        names: where the objects of each go, as int32 1×Y×X tensors of the image file's size.
        settings: how the bundle makes objects; None: the default `Postprocessing()`.
        image_key: the key of the image, whose `<key>_shape` `LoadMicroscopyd` has noted.
    """

    def __init__(
        self,
        keys: str | list[str] = "pred",
        names: str | list[str] = "objects",
        *,
        settings: Postprocessing | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.names = [names] if isinstance(names, str) else list(names)
        if len(self.names) != len(self.keys):
            raise ValueError(f"keys {self.keys} and names {self.names} came, but one name for each key was expected")
        self.settings = settings or Postprocessing()
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with objects."""
        item = dict(data)
        height, width = (int(length) for length in item[f"{self.image_key}_shape"])
        for key, name in zip(self.keys, self.names, strict=True):
            probabilities = torch.as_tensor(item[key]).float().numpy(force=True)
            item[name] = torch.from_numpy(label_objects(probabilities, self.settings, (height, width))[np.newaxis])
        return item
