"""A short numerical description of a network's training images, stored in the network's bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import measure_objects, objects_are_dark, typical_diameter_px
from cellseg_monai.pixels import Preprocessing, network_scale, select_channels
from cellseg_monai.quality.measures import PlaneMeasures, measure_plane

__all__ = ["Range", "TrainingData", "describe_training_data"]


class Range(NamedTuple):
    """Three numbers in ascending order that describe a distribution; see `TrainingData` for their meaning."""

    low: float
    median: float
    high: float


# A few odd images among hundreds should not make everything look usual.
_PERCENTILES = (2, 50, 98)


@dataclass(frozen=True)
class TrainingData:
    """A description of the images that a network was trained on, stored in `models/weights.json` in its bundle.

    The description contains the SHA-256 of the weights, so that a user's images are never compared with the training
    data of other weights.

    The range of diameters consists of the 5th, 50th and 95th percentiles over the pixels of all objects. Percentiles
    over objects would give too much weight to debris and fragments. The other ranges consist of the minimum, median and
    maximum over images. `PlaneMeasures` explains the measures.

    Args:
        name: name of the data set.
        weights_sha256: SHA-256 of the weights that were trained on the data set. The description is valid only for
            these weights.
        images: number of images.
        objects: number of objects in all images.
        diameter_px: range of the equivalent diameters, in pixels at the network's scale.
        sharpness: range of the sharpness.
        brightness: range of the brightness.
        object_contrast: range of the object contrast.
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
                raise ValueError(
                    f"got {name}={value}, expected three numbers in ascending order; regenerate the description "
                    "with `describe_training_data`"
                )
            object.__setattr__(self, name, Range(*map(float, value)))  # a list if it was read from JSON


def describe_training_data(
    pairs: Sequence[tuple[str, str]],
    settings: Preprocessing,
    *,
    name: str,
    weights_sha256: str,
) -> TrainingData:
    """Measure the images and label images that a network was trained on.

    If the network expects objects of one diameter or polarity, each image is measured after it was brought to both.

    Args:
        pairs: path of each image and path of its label image.
        settings: preprocessing settings of the network.
        name: name of the data set.
        weights_sha256: SHA-256 of the weights that were trained on the data set.

    Raises:
        ValueError: there are no images, no image contains objects, an image is not a single plane, or an image and its
            labels differ in size.
    """
    diameters, measured = [], []
    for image_path, label_path in pairs:
        image, labels = read(image_path), read_labels(label_path)
        if image.axes != "CYX" or image.pixels.shape[1:] != labels.shape:
            raise ValueError(
                f"{image_path}: got an image of shape {image.pixels.shape} and labels of shape {labels.shape}, "
                "expected a single plane with the same height and width; pass matching files"
            )
        table = measure_objects(labels)
        window = _window_reader(image.pixels)
        chosen = select_channels(image.pixels, settings.channels, channel_names=image.channel_names)
        diameter_px = None if settings.diameter_px is None else typical_diameter_px(labels)
        suited = settings.for_objects(diameter_px, dark=objects_are_dark(chosen.mean(axis=0), labels))
        measures = measure_plane(
            window,
            labels,
            table,
            suited,
            channel_names=image.channel_names,
            pixel_size_um=image.pixel_size_um,
        )
        measured.append(measures)
        if measures.objects:
            scale = network_scale(labels.shape, suited, pixel_size_um=image.pixel_size_um)
            diameters.append(table["equivalent_diameter_px"] * scale)
    if not diameters:
        raise ValueError(
            f"none of the {len(pairs)} images contains any objects; pass images that the network was trained on"
        )
    return TrainingData(
        name=name,
        weights_sha256=weights_sha256,
        images=len(measured),
        objects=sum(measures.objects for measures in measured),
        diameter_px=_over_pixels(np.concatenate(diameters)),
        sharpness=_spread(measured, lambda measures: measures.sharpness),
        brightness=_spread(measured, lambda measures: measures.brightness),
        object_contrast=_spread(measured, lambda measures: measures.object_contrast),
    )


def _over_pixels(diameters: np.ndarray) -> Range:
    """Return the diameters up to which objects contain 5, 50 and 95 % of all object pixels."""
    ordered = np.sort(diameters)
    covered = np.cumsum(ordered**2)
    positions = np.searchsorted(covered, np.array([0.05, 0.5, 0.95]) * covered[-1])
    return Range(*(round(float(diameter), 2) for diameter in ordered[positions]))


def _window_reader(pixels: np.ndarray) -> Callable[[slice, slice], np.ndarray]:
    return lambda rows, columns: pixels[:, rows, columns]


def _spread(measured: Sequence[PlaneMeasures], value: Callable[[PlaneMeasures], float]) -> Range:
    values = np.array([value(measures) for measures in measured])
    return Range(*(round(float(number), 4) for number in np.percentile(values[np.isfinite(values)], _PERCENTILES)))
