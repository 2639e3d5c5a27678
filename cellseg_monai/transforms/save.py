"""Saving label files, and overlays for checking labels by eye."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform

from cellseg_monai.errors import DatasetError
from cellseg_monai.exports.overlay_png import write_overlay
from cellseg_monai.io import image_stem, write_labels
from cellseg_monai.pixels import rescale

__all__ = ["SaveLabelsd"]


class SaveLabelsd(MapTransform):
    """Save label images as `output_dir/<stem>.tif`, leaving items unchanged.

    Items must have passed through `LoadMicroscopyd`, `PreparePixelsd` and `LabelObjectsd`. Batches must first be
    decollated.

    Args:
        keys: keys of label images, 1×Y×X integer tensors at the size of the image file.
        output_dir: output folder, created if missing.
        overlay: True to also save the outlines of the objects drawn over the image, as `<stem>_overlay.png`.
        data_root_dir: folder that contains all images. If given, its subfolders are recreated inside `output_dir`.
        image_key: key of the image.

    Raises:
        DatasetError: raised on a call if the labels would overwrite the image or the labels of another image, or if the
            image is not inside `data_root_dir`.
        ValueError: raised on a call if the labels are not integers, or have the wrong shape.
    """

    def __init__(
        self,
        keys: str | list[str] = "objects",
        *,
        output_dir: str | PathLike[str],
        overlay: bool = False,
        data_root_dir: str | PathLike[str] | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.overlay = overlay
        self.data_root_dir = None if data_root_dir is None else Path(data_root_dir)
        self.image_key = image_key
        self._written: dict[Path, str] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Save the labels in an item, and return the item unchanged."""
        item = dict(data)
        for key in self.key_iterator(item):
            target = self._target(Path(item[f"{self.image_key}_path"]), str(key))
            height, width = (int(length) for length in item[f"{self.image_key}_shape"])
            labels = _labels(item[key], (height, width))
            size_um = tuple(float(size) for size in item[f"{self.image_key}_pixel_size_um"])
            is_known = all(np.isfinite(size_um))
            write_labels(target, labels, pixel_size_um=(size_um[0], size_um[1]) if is_known else None)
            if self.overlay:
                image = rescale(torch.as_tensor(item[self.image_key]).float().numpy(force=True), (height, width))
                write_overlay(target.with_name(f"{target.stem}_overlay.png"), image, labels)
        return item

    def _target(self, image_path: Path, key: str) -> Path:
        folder = self.output_dir
        if self.data_root_dir is not None:
            parent, root = image_path.resolve().parent, self.data_root_dir.resolve()
            if not parent.is_relative_to(root):
                raise DatasetError(f"{image_path} is not inside data_root_dir={root}; fix data_root_dir")
            folder = folder / parent.relative_to(root)
        target = folder / f"{image_stem(image_path)}.tif"
        source = f"{image_path} ({key})"
        first = self._written.setdefault(target, source)
        if target.resolve() == image_path.resolve():
            raise DatasetError(f"the labels for {image_path} would overwrite the image; choose another output_dir")
        if first != source:
            raise DatasetError(
                f"{source} and {first} would both be written to {target}; rename one of them, "
                "or set data_root_dir to keep their folders apart"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return target


def _labels(values: Any, shape: tuple[int, int]) -> np.ndarray:
    labels = torch.as_tensor(values).numpy(force=True)
    if labels.shape != (1, *shape) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"got {labels.dtype} of shape {labels.shape}, expected integers of shape {(1, *shape)}; "
            "put LabelObjectsd before this transform, to turn maps into objects"
        )
    return np.asarray(labels[0])
