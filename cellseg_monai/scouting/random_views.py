"""Random views of annotated images at random resolutions, with what a scout should say about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from cellseg_monai.labels import objects_are_dark, typical_diameter_px
from cellseg_monai.pixels import rescale_window
from cellseg_monai.scouting.foreign import foreign_picture
from cellseg_monai.scouting.kinds import KINDS, NONE
from cellseg_monai.scouting.views import SIDE_PX, intensity_range, shrunk

__all__ = ["Sample", "random_foreign_view", "random_view", "sample_of"]

_SCALES = (0.04, 2.5)  # of a view, as a share of the resolution of the image
_LEVELS = 4
_DIAMETERS_PX = (2.0, 130.0)  # in a view; others cannot be seen
_LEAST_SHARE = 0.002  # of a view that objects have to cover


@dataclass(frozen=True, eq=False)
class Sample:
    """An annotated image from which views are drawn.

    Args:
        pixels: C×Y×X float32, with one or three channels, from 0 to 1 between the percentiles of the image.
        objects: Y×X bool, True inside objects.
        diameter_px: typical diameter of the objects in pixels; NaN if there are none.
        is_dark: True if the objects are darker than their surroundings.
        kind: one of `KINDS`.
    """

    pixels: np.ndarray
    objects: np.ndarray
    diameter_px: float
    is_dark: bool
    kind: str

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """The pixels at the resolution of the image, at a half of it, a quarter, and so on."""
        return [shrunk(self.pixels, 2**number) for number in range(_LEVELS)]


def sample_of(pixels: np.ndarray, labels: np.ndarray, kind: str) -> Sample:
    """Return an annotated image as a sample.

    Args:
        pixels: C×Y×X, with one or three channels.
        labels: Y×X ids, 0 is background.
        kind: one of `KINDS`.
    """
    shape = (int(labels.shape[0]), int(labels.shape[1]))
    low, high = intensity_range(lambda rows, columns: pixels[:, rows, columns], shape)
    scaled = (pixels.astype(np.float32) - low) / max(high - low, 1e-9)
    diameter = typical_diameter_px(labels)
    return Sample(scaled.clip(0, 1), labels > 0, diameter, objects_are_dark(scaled.mean(axis=0), labels), kind)


def random_view(sample: Sample, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a random view of a sample, and what a scout should say about it.

    Args:
        sample: the image.
        generator: source of random numbers.

    Returns:
        3×Y×X float32 view, and the target: the logarithm to base 2 of the diameter in pixels of the view, 1 if objects
        are dark or else 0, the number of the kind, and 1 if the first two are known or else 0.
    """
    shape = sample.objects.shape
    lowest = max(_SCALES[0], SIDE_PX / max(shape) / 2)
    scale = math.exp(generator.uniform(math.log(lowest), math.log(_SCALES[1])))
    to = (max(8, round(shape[0] * scale)), max(8, round(shape[1] * scale)))
    rows, columns = _window(sample, to, generator)
    level = sample.levels[min(len(sample.levels) - 1, max(0, math.floor(-math.log2(scale))))]
    view = rescale_window(lambda y, x: level[:, y, x], level.shape[1:], to, rows, columns)
    objects = _part(sample.objects, to, rows, columns)
    is_dark = sample.is_dark
    if sample.kind == "fluorescence_nuclei" and generator.random() < 0.08:
        view, is_dark = 1 - view, not is_dark
    log_diameter = math.log2(sample.diameter_px * scale) if sample.diameter_px > 0 else 0.0
    is_known = (
        sample.diameter_px > 0
        and objects.mean() > _LEAST_SHARE
        and _DIAMETERS_PX[0] < 2**log_diameter < _DIAMETERS_PX[1]
    )
    target = np.array([log_diameter, is_dark, list(KINDS).index(sample.kind), is_known], np.float32)
    return _finished(view, generator), target


def random_foreign_view(
    generator: np.random.Generator, photograph: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random view of a picture that is no microscope image, and what a scout should say about it.

    Args:
        generator: source of random numbers.
        photograph: 3×Y×X float32 from 0 to 1; None to draw a picture.
    """
    side = SIDE_PX
    if photograph is None:
        view = foreign_picture((side, side), generator)
    else:
        zoom = generator.uniform(min(1.0, side / min(photograph.shape[1:])), 1.3)
        to = tuple(max(side, round(length * zoom)) for length in photograph.shape[1:])
        top, left = (int(generator.integers(length - side + 1)) for length in to)
        window = slice(top, top + side), slice(left, left + side)
        view = rescale_window(lambda y, x: photograph[:, y, x], photograph.shape[1:], to, *window)
        if generator.random() < 0.3:
            view = np.broadcast_to(view.mean(axis=0), view.shape)
    return _finished(view, generator), np.array([0, 0, list(KINDS).index(NONE), 0], np.float32)


def _window(sample: Sample, to: tuple[int, int], generator: np.random.Generator) -> tuple[slice, slice]:
    """Return a window of the resampled image, in most cases around an object."""
    side = SIDE_PX
    starts = [int(generator.integers(max(0, length - side) + 1)) for length in to]
    places = np.flatnonzero(sample.objects) if generator.random() < 0.7 else np.zeros(0, int)
    if len(places):
        place = np.unravel_index(places[generator.integers(len(places))], sample.objects.shape)
        for axis in (0, 1):
            centre = place[axis] * to[axis] // sample.objects.shape[axis]
            starts[axis] = int(np.clip(centre - generator.integers(side), 0, max(0, to[axis] - side)))
    rows, columns = (slice(start, min(start + side, length)) for start, length in zip(starts, to, strict=True))
    return rows, columns


def _part(objects: np.ndarray, to: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    """Return the part of a mask that a window of the resampled image shows, at the size of the mask."""
    (top, bottom), (left, right) = (
        (axis.start * old // new, max(axis.start * old // new + 1, axis.stop * old // new))
        for axis, old, new in zip((rows, columns), objects.shape, to, strict=True)
    )
    return objects[top:bottom, left:right]


def _finished(view: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a view with random light, blur, noise, colours and orientation, padded to its full size."""
    values: np.ndarray = view.astype(np.float32)
    if generator.random() < 0.5:
        values = values ** generator.uniform(0.6, 1.6)
    if generator.random() < 0.4:
        low, high = generator.uniform(-0.1, 0.3), generator.uniform(0.6, 1.2)
        values = low + (high - low) * values
    if generator.random() < 0.3:
        rows, columns = np.mgrid[: values.shape[1], : values.shape[2]]
        slope = generator.normal(0, 0.15, 2) / max(values.shape)
        values = values * (1 + slope[0] * (rows - rows.mean()) + slope[1] * (columns - columns.mean()))
    if len(values) == 3 and generator.random() < 0.5:
        # Stains and cameras differ in hue.
        mix = np.eye(3) + generator.normal(0, 0.12, (3, 3))
        values = np.einsum("dc,cyx->dyx", mix / mix.sum(axis=1, keepdims=True), values)
    if generator.random() < 0.2:
        values = ndimage.gaussian_filter(values, (0, *[generator.uniform(0.3, 1.5)] * 2))
    if generator.random() < 0.3:
        values = values + generator.normal(0, generator.uniform(0.01, 0.08), values.shape)
    values = np.rot90(values, int(generator.integers(4)), axes=(1, 2))
    if generator.random() < 0.5:
        values = values[:, :, ::-1]
    padded: np.ndarray = np.zeros((3, SIDE_PX, SIDE_PX), np.float32)
    padded[:, : values.shape[1], : values.shape[2]] = values.clip(0, 1)
    return padded
