"""Converting logits to named maps, and maps to masks or to objects at the size of the image file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform

from cellseg_monai.decoding import Postprocessing, foreground_mask, label_objects
from cellseg_monai.heads import Head
from cellseg_monai.pixels import rescale_labels

__all__ = ["ActivateLogitsd", "ForegroundMaskd", "ImageFramed", "LabelObjectsd"]


class _Renaming(MapTransform):
    """Base class of transforms that store the result for each key under another name."""

    def __init__(self, keys: str | list[str], names: str | list[str]) -> None:
        super().__init__(keys)
        self.names = [names] if isinstance(names, str) else list(names)
        if len(self.names) != len(self.keys):
            raise ValueError(f"got keys {self.keys} and names {self.names}, expected one name for each key")


class ActivateLogitsd(_Renaming):
    """Turn logits into named maps; see `heads.Head.activate`.

    Args:
        head: the head that the network was trained with.
        keys: keys of K×Y×X logits, tensors of any floating-point dtype. The logits stay in the item.
        names: keys under which to store the maps, as dictionaries of Y×X float32 arrays.
        missing_key: key of a 1×Y×X mask from `PreparePixelsd`, True where the image has no data; the foreground is 0
            there. The item can lack this key.
    """

    def __init__(
        self,
        head: Head,
        keys: str | list[str] = "pred",
        names: str | list[str] = "maps",
        missing_key: str = "image_missing",
    ) -> None:
        super().__init__(keys, names)
        self.head = head
        self.missing_key = missing_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with maps added."""
        item = dict(data)
        for key, name in zip(self.keys, self.names, strict=True):
            logits = torch.as_tensor(item[key])
            # NumPy lacks bfloat16; float32 represents bfloat16 and float16 exactly.
            maps = self.head.activate(logits.float().numpy(force=True))
            if self.missing_key in item:
                missing = torch.as_tensor(item[self.missing_key])[0].numpy(force=True)
                maps = {**maps, "foreground": np.where(missing, np.float32(0), maps["foreground"])}
            item[name] = maps
        return item


class ForegroundMaskd(_Renaming):
    """Turn maps into foreground masks; see `decoding.foreground_mask`.

    Args:
        keys: keys of maps from `ActivateLogitsd`, dictionaries of Y×X arrays.
        names: keys under which to store the masks, 1×Y×X float32 tensors of 0 and 1. A mask that replaces logits stays
            on their device.
        settings: post-processing settings, of which only the threshold is used; by default, `Postprocessing()`.
    """

    def __init__(
        self,
        keys: str | list[str] = "maps",
        names: str | list[str] = "pred",
        *,
        settings: Postprocessing | None = None,
    ) -> None:
        super().__init__(keys, names)
        self.settings = settings or Postprocessing()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with masks added."""
        item = dict(data)
        for key, name in zip(self.keys, self.names, strict=True):
            mask = torch.from_numpy(foreground_mask(item[key]["foreground"], self.settings)[np.newaxis])
            logits = item.get(name)
            item[name] = mask.to(logits.device if isinstance(logits, torch.Tensor) else "cpu", torch.float32)
        return item


class ImageFramed(MapTransform):
    """Resample predictions from the network's scale to the size of the image file, by nearest neighbour.

    This makes it possible to compare predictions with the ground truth as it was annotated. If the ground truth were
    resampled to the network's scale instead, objects that vanish at this scale would not count as missed. Inference
    resamples its labels in the same way.

    Args:
        keys: keys of C×Y×X tensors.
        image_key: key of the image, as used by `LoadMicroscopyd`, which stores the size in `<image_key>_shape`.
    """

    def __init__(self, keys: str | list[str] = "pred", *, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with predictions at the size of the image file."""
        item = dict(data)
        height, width = (int(length) for length in item[f"{self.image_key}_shape"])
        for key in self.key_iterator(item):
            values = torch.as_tensor(item[key])
            planes = [rescale_labels(plane, (height, width)) for plane in values.numpy(force=True)]
            item[key] = torch.from_numpy(np.stack(planes)).to(values.device)
        return item


class LabelObjectsd(_Renaming):
    """Turn maps into objects at the size of the image file; see `decoding.label_objects`.

    Args:
        keys: keys of maps from `ActivateLogitsd`, dictionaries of Y×X arrays at the network's scale.
        names: keys under which to store the objects, 1×Y×X int32 tensors of ids at the size of the image file.
        settings: post-processing settings; by default, `Postprocessing()`.
        image_key: key of the image, as used by `LoadMicroscopyd`, which stores the size in `<image_key>_shape`.
    """

    def __init__(
        self,
        keys: str | list[str] = "maps",
        names: str | list[str] = "objects",
        *,
        settings: Postprocessing | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys, names)
        self.settings = settings or Postprocessing()
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with objects added."""
        item = dict(data)
        height, width = (int(length) for length in item[f"{self.image_key}_shape"])
        for key, name in zip(self.keys, self.names, strict=True):
            item[name] = torch.from_numpy(label_objects(item[key], self.settings, (height, width))[np.newaxis])
        return item
