"""What the images were like that a network was trained on, in a few numbers that a bundle keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import NamedTuple

import numpy as np

from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import Preprocessing, network_scale
from cellseg_monai.quality.measures import PlaneMeasures, measure_plane
from cellseg_monai.settings import read_settings

__all__ = ["Range", "TrainingData", "describe_training_data"]


class Range(NamedTuple):
    """Three ascending numbers; see `TrainingData` for what they are of."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class TrainingData:
    """The images that a network was trained on, as a bundle's `models/weights.json` keeps them.

    A range of the objects' diameters is the percentiles 5, 50 and 95 over the pixels of all objects, not over objects,
    so that debris and fragments do not count for more than they are; of all else it is the least, the median and the
    most over images. See `PlaneMeasures` for what they are.

    Args:
        name: of the data set.
        weights_sha256: of the weights that were trained on it; of others it says nothing.
        images: how many.
        objects: how many they hold.
        diameter_px: of the objects.
        sharpness: of the images.
        brightness: of the images.
        object_contrast: of the images.
    """

    name: str
    weights_sha256: str
    images: int
    objects: int
    diameter_px: Range
    sharpness: Range
    brightness: Range
    object_contrast: Range

    def __post_init__(self) -> None:
        for name in ("diameter_px", "sharpness", "brightness", "object_contrast"):
            value = getattr(self, name)
            if len(value) != 3 or not value[0] <= value[1] <= value[2]:
                raise ValueError(f"{name}={value} came, but three ascending numbers were expected; make it anew")
            object.__setattr__(self, name, Range(*map(float, value)))  # of a JSON file, it is a list

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> TrainingData:
        """What a `training_data.json` says.

        Raises:
            BundleError: the file is missing, or holds an unknown name or a refused value.
        """
        return read_settings(cls, path)


def describe_training_data(
    pairs: Sequence[tuple[str, str]],
    settings: Preprocessing,
    *,
    name: str,
    weights_sha256: str,
) -> TrainingData:
    """Measure the images and label images of a training.

    Args:
        pairs: the files of each image and of its label image.
        settings: how the network wants images.
        name: of the data set.
        weights_sha256: of the weights that were trained on it.

    Raises:
        ValueError: no images, none with objects, or an image that does not fit its labels.
    """
    diameters, measured = [], []
    for image_path, label_path in pairs:
        image, labels = read(image_path), read_labels(label_path)
        if image.axes != "CYX" or image.pixels.shape[1:] != labels.shape:
            raise ValueError(
                f"{image_path}: {image.pixels.shape}, but labels of {labels.shape}; pass one plane of each"
            )
        table = measure_objects(labels)
        window = _window_of(image.pixels)
        found = measure_plane(
            window,
            labels,
            table,
            settings,
            channel_names=image.channel_names,
            pixel_size_um=image.pixel_size_um,
        )
        measured.append(found)
        if found.objects:
            scale = network_scale(labels.shape, settings, pixel_size_um=image.pixel_size_um)
            diameters.append(table["equivalent_diameter_px"] * scale)
    if not diameters:
        raise ValueError(f"{len(pairs)} images without an object came; pass those of a training")
    return TrainingData(
        name=name,
        weights_sha256=weights_sha256,
        images=len(measured),
        objects=sum(each.objects for each in measured),
        diameter_px=_over_pixels(np.concatenate(diameters)),
        sharpness=_spread(measured, lambda each: each.sharpness),
        brightness=_spread(measured, lambda each: each.brightness),
        object_contrast=_spread(measured, lambda each: each.object_contrast),
    )


def _over_pixels(diameters: np.ndarray) -> Range:
    """The diameters up to which objects hold 5, 50 and 95 % of all pixels of objects."""
    ordered = np.sort(diameters)
    covered = np.cumsum(ordered**2)
    places = np.searchsorted(covered, np.array([0.05, 0.5, 0.95]) * covered[-1])
    return Range(*(round(float(each), 2) for each in ordered[places]))


def _window_of(pixels: np.ndarray) -> Callable[[slice, slice], np.ndarray]:
    return lambda rows, columns: pixels[:, rows, columns]


def _spread(measured: Sequence[PlaneMeasures], value: Callable[[PlaneMeasures], float]) -> Range:
    values = np.array([value(each) for each in measured])
    return Range(*(round(float(each), 4) for each in np.percentile(values[np.isfinite(values)], (0, 50, 100))))
