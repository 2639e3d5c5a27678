"""Probabilities into label files, in the frame of the image that they came from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform
from PIL import Image

from cellseg_monai.atomic import replacing
from cellseg_monai.errors import DatasetError
from cellseg_monai.io import image_stem, write_labels
from cellseg_monai.labels import Postprocessing, draw_outlines, label_objects, relabel_sequential
from cellseg_monai.pixels import rescale, rescale_labels

__all__ = ["SaveLabelsd"]


class SaveLabelsd(MapTransform):
    """Make objects of probabilities and write them as `output_dir/<stem>.tif`; items pass unchanged.

    The labels have the size of the image file, whatever the scale the network saw it at. Items are
    those of `LoadMicroscopyd` and `PreparePixelsd`, one at a time (after MONAI's decollation).

    Args:
        keys: probabilities, float 1×Y×X in [0, 1].
        output_dir: the folder for the results, made where it is missing.
        settings: how the bundle makes objects; None: the default `Postprocessing()`.
        overlay: whether to write the outlines over the image as well, as `<stem>_overlay.png`.
        data_root_dir: the folder of the images, whose subfolders are then kept below `output_dir`.
        image_key: the key of the image.

    Raises:
        DatasetError: from the call: a second image would overwrite the labels of the first.
        ValueError: from the call: more than one channel, or values that are no probabilities.
    """

    def __init__(
        self,
        keys: str | list[str] = "pred",
        *,
        output_dir: str | PathLike[str],
        settings: Postprocessing | None = None,
        overlay: bool = False,
        data_root_dir: str | PathLike[str] | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.settings = settings or Postprocessing()
        self.overlay = overlay
        self.data_root_dir = None if data_root_dir is None else Path(data_root_dir)
        self.image_key = image_key
        self._written: dict[Path, str] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The same item, its labels written."""
        item = dict(data)
        for key in self.key_iterator(item):
            target = self._target(Path(item[f"{self.image_key}_path"]), str(key))
            height, width = (int(length) for length in item[f"{self.image_key}_shape"])
            labels = _labels_in_frame(_array(item[key]), self.settings, (height, width))
            size_um = tuple(float(size) for size in item[f"{self.image_key}_pixel_size_um"])
            known = all(np.isfinite(size_um))
            write_labels(target, labels, pixel_size_um=(size_um[0], size_um[1]) if known else None)
            if self.overlay:
                image = rescale(_array(item[self.image_key]), (height, width))
                picture = Image.fromarray(draw_outlines(image, labels))
                with replacing(target.with_name(f"{target.stem}_overlay.png")) as aside:
                    picture.save(aside, format="PNG")
        return item

    def _target(self, image_path: Path, key: str) -> Path:
        folder = self.output_dir
        if self.data_root_dir is not None:
            parent, root = image_path.resolve().parent, self.data_root_dir.resolve()
            if not parent.is_relative_to(root):
                raise DatasetError(f"{image_path} is not below data_root_dir {root}; correct data_root_dir")
            folder = folder / parent.relative_to(root)
        target = folder / f"{image_stem(image_path)}.tif"
        source = f"{image_path} ({key})"
        first = self._written.setdefault(target, source)
        if target.resolve() == image_path.resolve():
            raise DatasetError(
                f"the labels of {image_path} would overwrite the image itself; choose another output_dir"
            )
        if first != source:
            raise DatasetError(
                f"{source} and {first} would both be written to {target}; rename one, "
                "or set data_root_dir to keep their folders apart"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return target


def _array(values: Any) -> np.ndarray:
    return np.asarray(torch.as_tensor(values).float().numpy(force=True))


def _labels_in_frame(probabilities: np.ndarray, settings: Postprocessing, shape: tuple[int, int]) -> np.ndarray:
    if probabilities.ndim != 3 or len(probabilities) != 1:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} came, but (1, Y, X) was expected; "
            "save items one by one, with the foreground channel only"
        )
    labels = label_objects(probabilities[0], settings)
    if labels.shape == shape:
        return labels
    # Shrinking may lose a small object, and so leave a gap in the ids.
    return relabel_sequential(rescale_labels(labels, shape))
