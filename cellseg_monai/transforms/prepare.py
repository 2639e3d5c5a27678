"""Preparing pixels for the network: selecting channels, normalising and rescaling."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform

from cellseg_monai.errors import DatasetError
from cellseg_monai.pixels import Preprocessing, network_scale, prepare_and_measure, rescale_labels

__all__ = ["PreparePixelsd"]


class PreparePixelsd(Transform):
    """Select channels, normalise and rescale a whole image; see `pixels.prepare`.

    Put this transform directly after `LoadMicroscopyd`, before any cache or crop. The image becomes a C×Y×X float32
    tensor. The label becomes a 1×Y×X int32 tensor, resampled by nearest neighbour to the new size of the image.
    `image_channel_names` is removed.

    If an item has `object_diameter_px` and `dark_objects`, as set by `MeasureObjectsd`, its objects are brought to the
    diameter and the polarity that the settings name. Both values are then removed.

    `image_missing` becomes a 1×Y×X bool tensor, True where the image has no data.

    Args:
        settings: preprocessing settings; by default, `Preprocessing()`.
        pixel_size_um: pixel size to assume for images that do not state one.
        image_key: key of the image.
        label_key: key of the label; None to leave labels unchanged.
        resample: False to keep the size of the image, and to store the factor by which it should be enlarged as
            `image_zoom`, for `RandScaledCropd`.

    Raises:
        DatasetError: raised on a call if the image lacks a channel or a pixel size that the settings require. The
            message names the file.
    """

    def __init__(
        self,
        settings: Preprocessing | None = None,
        *,
        pixel_size_um: float | None = None,
        image_key: str = "image",
        label_key: str | None = "label",
        resample: bool = True,
    ) -> None:
        self.settings = settings or Preprocessing()
        self.resample = resample
        self.pixel_size_um = pixel_size_um
        self.image_key, self.label_key = image_key, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with its image and label prepared."""
        item, key = dict(data), self.image_key
        names = item.pop(f"{key}_channel_names", ())
        size_um = _pixel_size(item.get(f"{key}_pixel_size_um"), self.pixel_size_um)
        diameter_px, dark = item.pop("object_diameter_px", None), item.pop("dark_objects", False)
        try:
            settings = self.settings.for_objects(diameter_px, dark=dark)
            if not self.resample:
                item[f"{key}_zoom"] = network_scale(item[f"{key}_shape"].tolist(), settings, pixel_size_um=size_um)
                settings = settings.at_zoom(None)
            prepared = prepare_and_measure(np.asarray(item[key]), settings, channel_names=names, pixel_size_um=size_um)
        except ValueError as error:
            raise DatasetError(f"{item.get(f'{key}_path', 'image')}: {error}") from error
        image, missing = prepared.pixels, prepared.missing
        item[key] = torch.from_numpy(image)
        nowhere = np.zeros(image.shape[1:], bool)
        item[f"{key}_missing"] = torch.from_numpy(nowhere if missing is None else missing)[None]
        if self.label_key in item:
            labels = np.asarray(item[self.label_key])[0]
            resampled: np.ndarray = rescale_labels(labels, (int(image.shape[1]), int(image.shape[2])))
            item[self.label_key] = torch.from_numpy(np.ascontiguousarray(resampled[np.newaxis], np.int32))
        return item


def _pixel_size(stated_um: np.ndarray | None, default_um: float | None) -> tuple[float, float] | None:
    if stated_um is not None and np.isfinite(stated_um).all():
        return float(stated_um[0]), float(stated_um[1])
    return None if default_um is None else (default_um, default_um)
