"""Loading the images and labels listed in a datalist."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.transforms import Transform

from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import relabel_sequential

__all__ = ["LoadMicroscopyd"]

logger = logging.getLogger(__name__)

# MONAI resamples labels as float32, which represents all integers up to this one exactly.
_LARGEST_ID = 2**24


class LoadMicroscopyd(Transform):
    """Load the image and the label whose paths are in an item.

    This transform replaces MONAI's `LoadImaged`, which returns pixels as (W, H), misreads some TIFF files, and silently
    falls back to another reader if the requested one fails. Images are read with `io.read`, as everywhere else in the
    package. Put `PreparePixelsd` after this transform.

    In an item `{"image": path, "label": path, ...}`, the transform sets these values:

    - `image`: C×Y×X array with the dtype of the file.
    - `label`: 1×Y×X int32 array of ids, with 0 for background. If any id exceeds 2**24, all ids are renumbered, because
      resampling in float32 would merge some of them, and `label_ids` holds the original ids in the order of the new.
    - `image_path`, `label_path`: paths of the files.
    - `image_shape`: int64 (Y, X) size of the image file, to which results can be resampled.
    - `image_pixel_size_um`: float64 (y, x) pixel size in the file; NaN if unknown, because None cannot be collated.
    - `image_channel_names`: tuple of names, empty if unknown. `PreparePixelsd` removes this value.

    Args:
        image_key: key of the image path.
        label_key: key of the label path; None to read no labels.
        allow_missing_label: True to accept items without a label.
        axes: axes of image files that do not state their own, such as "YXS"; see `io.read`.

    Raises:
        UnreadableImageError: raised on a call if a file cannot be read, or an image is a stack.
        DatasetError: raised on a call if an item has no image or no label, or a label and its image differ in size. The
            message names the files.
    """

    def __init__(
        self,
        image_key: str = "image",
        label_key: str | None = "label",
        *,
        allow_missing_label: bool = False,
        axes: str | None = None,
    ) -> None:
        self.image_key, self.label_key = image_key, label_key
        self.allow_missing_label = allow_missing_label
        self.axes = axes
        self._noted: set[str] = set()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with its image and label loaded."""
        item = dict(data)
        image_path = _path(item, self.image_key)
        if image_path is None:
            raise DatasetError(f"the item {item} has no {self.image_key!r}; add the image path to the datalist")
        self._load_image(item, image_path)
        if self.label_key is None:
            return item
        label_path = _path(item, self.label_key)
        if label_path is not None:
            self._load_label(item, self.label_key, label_path)
        elif not self.allow_missing_label:
            raise DatasetError(
                f"{image_path}: the item has no {self.label_key!r}; add the label path to the datalist, "
                "or set allow_missing_label if labels are not needed"
            )
        return item

    def _load_image(self, item: dict[Hashable, Any], path: str) -> None:
        image = read(path, axes=self.axes)
        if image.axes != "CYX":
            sizes = ", ".join(f"{axis} {length}" for axis, length in zip(image.axes, image.pixels.shape, strict=True))
            remedy = "save each plane as a separate file"
            raise UnreadableImageError(path, f"got a stack ({sizes}), expected one plane", remedy)
        for note in image.notes:
            if note.kind not in self._noted:
                self._noted.add(note.kind)
                logger.warning(f"{path}: {note.text}; this is said for the first such image only")
        key = self.image_key
        item[key] = image.pixels
        item[f"{key}_path"] = path
        item[f"{key}_shape"] = np.array(image.pixels.shape[1:], dtype=np.int64)
        item[f"{key}_pixel_size_um"] = np.array(image.pixel_size_um or (np.nan, np.nan), dtype=np.float64)
        item[f"{key}_channel_names"] = image.channel_names

    def _load_label(self, item: dict[Hashable, Any], key: str, path: str) -> None:
        labels = read_labels(path)
        image_shape = tuple(item[f"{self.image_key}_shape"].tolist())
        if labels.shape != image_shape:
            raise DatasetError(
                f"image {item[f'{self.image_key}_path']} has shape {image_shape} (Y, X), "
                f"but its label {path} has shape {labels.shape}; pair each image with its own label"
            )
        if labels.size and labels.max() > _LARGEST_ID:
            item[f"{key}_ids"] = np.unique(labels[labels > 0])
            labels = relabel_sequential(labels)
        item[key] = labels.astype(np.int32, copy=False)[np.newaxis]
        item[f"{key}_path"] = path


def _path(item: Mapping[Hashable, Any], key: str) -> str | None:
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise DatasetError(
            f"got a {type(value).__name__} in item[{key!r}], expected a path; put LoadMicroscopyd before this transform"
        )
    return os.fspath(value)
