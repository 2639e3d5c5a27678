"""What the images were like that a network was trained on, in a few numbers that a bundle keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from os import PathLike

import numpy as np

from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import Preprocessing, network_scale
from cellseg_monai.quality.measures import PlaneMeasures, measure_plane
from cellseg_monai.settings import read_settings

__all__ = ["TrainingData", "describe_training_data"]

Range = tuple[float, float, float]


@dataclass(frozen=True)
class TrainingData:
    """The images that a network was trained on, as a bundle's `configs/training_data.json` keeps them.

    Each range is low, median, high. Of the objects' diameters they are the percentiles 5, 50 and 95 over the pixels of
    all objects, not over objects, so that debris and fragments do not count for more than they are; of all else the
    least, the median and the most over images. See `PlaneMeasures` for what they are.

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
        for field in fields(self):
            if field.type != "Range":
                continue
            value = getattr(self, field.name)
            if len(value) != 3 or not value[0] <= value[1] <= value[2]:
                raise ValueError(f"{field.name}={value} came, but three ascending numbers were expected; make it anew")
            object.__setattr__(self, field.name, tuple(map(float, value)))

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
    low, middle, high = _over_pixels(np.concatenate(diameters), (0.05, 0.5, 0.95))
    return TrainingData(
        name=name,
        weights_sha256=weights_sha256,
        images=len(measured),
        objects=sum(each.objects for each in measured),
        diameter_px=(round(low, 2), round(middle, 2), round(high, 2)),
        sharpness=_spread(measured, lambda each: each.sharpness),
        brightness=_spread(measured, lambda each: each.brightness),
        object_contrast=_spread(measured, lambda each: each.object_contrast),
    )


def _over_pixels(diameters: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    """The diameters up to which objects hold these shares of all pixels of objects."""
    ordered = np.sort(diameters)
    covered = np.cumsum(ordered**2)
    return [float(ordered[np.searchsorted(covered, share * covered[-1])]) for share in shares]


def _window_of(pixels: np.ndarray) -> Callable[[slice, slice], np.ndarray]:
    return lambda rows, columns: pixels[:, rows, columns]


def _spread(measured: Sequence[PlaneMeasures], value: Callable[[PlaneMeasures], float]) -> Range:
    values = np.array([value(each) for each in measured])
    low, middle, high = np.percentile(values[np.isfinite(values)], (0, 50, 100))
    return round(float(low), 4), round(float(middle), 4), round(float(high), 4)
