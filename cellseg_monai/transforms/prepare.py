"""Pixels as read into tensors as the network wants them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform

from cellseg_monai.errors import DatasetError
from cellseg_monai.pixels import Preprocessing, prepare, rescale_labels

__all__ = ["PreparePixelsd"]


class PreparePixelsd(Transform):
    """Choose channels, normalise and rescale a whole image; see `pixels.prepare`.

    Put it right after `LoadMicroscopyd`, before the cache and before any crop. The image becomes a
    float32 C×Y×X tensor; the label, if there is one, an int32 1×Y×X tensor, brought to the image's new
    scale by nearest neighbour. `image_channel_names` goes.

    Args:
        settings: how the bundle prepares images; None: the default `Preprocessing()`.
        pixel_size_um: µm per pixel of images that do not state it.
        image_key: the key of the image.
        label_key: the key of the label; None: labels are left alone.

    Raises:
        DatasetError: from the call: the image lacks what the settings ask for; the message names the file.
    """

    def __init__(
        self,
        settings: Preprocessing | None = None,
        *,
        pixel_size_um: float | None = None,
        image_key: str = "image",
        label_key: str | None = "label",
    ) -> None:
        self.settings = settings or Preprocessing()
        self.pixel_size_um = pixel_size_um
        self.image_key, self.label_key = image_key, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with image and label prepared."""
        item, key = dict(data), self.image_key
        names = item.pop(f"{key}_channel_names", ())
        size_um = _known_size(item.get(f"{key}_pixel_size_um"), self.pixel_size_um)
        try:
            image = prepare(np.asarray(item[key]), self.settings, channel_names=names, pixel_size_um=size_um)
        except ValueError as error:
            raise DatasetError(f"{item.get(f'{key}_path', 'image')}: {error}") from error
        item[key] = torch.from_numpy(image)
        if self.label_key in item:
            labels = np.asarray(item[self.label_key])[0]
            resampled: np.ndarray = rescale_labels(labels, (int(image.shape[1]), int(image.shape[2])))
            item[self.label_key] = torch.from_numpy(np.ascontiguousarray(resampled[np.newaxis], np.int32))
        return item


def _known_size(stated_um: np.ndarray | None, otherwise_um: float | None) -> tuple[float, float] | None:
    if stated_um is not None and np.isfinite(stated_um).all():
        return float(stated_um[0]), float(stated_um[1])
    return None if otherwise_um is None else (otherwise_um, otherwise_um)
