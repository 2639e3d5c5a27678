"""Measures of a segmented plane, used to tell whether the plane is unusual."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.io.display import measured_channels
from cellseg_monai.labels import ObjectTable
from cellseg_monai.pixels import PreparedPixels, PreparedWindows, Preprocessing
from cellseg_monai.quality.sampled_plane import SampledPlane

__all__ = ["PlaneMeasures", "Window", "measure_plane", "recorded_measures", "sample_windows"]

Window = Callable[[slice, slice], np.ndarray]
"""A function that takes slices of rows and columns, and returns that part of a plane, CYX in file units."""

_SIDE_PX, _MOST_WINDOWS = 768, 16
_COLOURS = {("red", "green", "blue"), ("r", "g", "b")}


@dataclass(frozen=True)
class PlaneMeasures:
    """Measures of a segmented plane; unknown values are NaN.

    Args:
        objects: number of objects.
        megapixels: size of the plane in millions of pixels.
        diameter_px: median equivalent diameter of the objects, in pixels at the network's scale.
        cut: share of objects that touch the border of the plane.
        sharpness: sharpness of the prepared plane; see `pixels.sharpness`.
        saturated: share of saturated pixels in the most saturated channel; see `pixels.saturated_share`.
        contrast: highest contrast among the channels that the network sees; see `pixels.contrast_over_noise`.
        brightness: mean of the prepared plane, 0 to 1.
        object_contrast: mean of the prepared plane inside objects minus its mean outside; negative for dark objects.
        covered: share of the plane inside objects.
        touching: share of objects that touch another object.
        values: number of distinct pixel values, counted up to 16.
        flatness: share of the pixels above the lowest value that equal their neighbour; near 1 in a mask.
        colourfulness: mean of the darkest of red, green and blue if the plane resembles a photograph, 0 if not.
        missing: share of the plane without data; see `pixels.find_margins`.
    """

    objects: int
    megapixels: float
    diameter_px: float
    cut: float
    sharpness: float
    saturated: float
    contrast: float
    brightness: float
    object_contrast: float
    covered: float = 0.0
    touching: float = 0.0
    values: int = 16
    flatness: float = 0.0
    colourfulness: float = 0.0
    missing: float = 0.0

    @property
    def per_megapixel(self) -> float:
        """Number of objects per million pixels."""
        return self.objects / self.megapixels


def measure_plane(
    window: Window,
    labels: SlicedArray,
    table: ObjectTable,
    settings: Preprocessing,
    *,
    channel_names: Sequence[str] = (),
    pixel_size_um: tuple[float, float] | None = None,
    prepared: PreparedPixels | PreparedWindows | None = None,
) -> PlaneMeasures:
    """Measure a segmented plane. If the plane is large, its pixels are measured in 16 windows spread over it.

    Args:
        window: function that takes slices of rows and columns, and returns that part of the plane, CYX in file units.
        labels: YX ids of the objects, with 0 for background; read in the same windows as the pixels.
        table: measurements of the objects.
        settings: preprocessing settings of the network.
        channel_names: one name per channel; empty if unknown.
        pixel_size_um: (y, x) pixel size; None if unknown.
        prepared: the whole plane as the network sees it; None to prepare it here.

    Raises:
        ValueError: the plane contains NaN, or lacks a channel or a pixel size that the settings require.
    """
    height, width = labels.shape
    if prepared is None:
        prepared = PreparedWindows(
            window, (height, width), settings, channel_names=channel_names, pixel_size_um=pixel_size_um
        )
    scale = prepared.shape[0] / height, prepared.shape[1] / width
    windows = sample_windows((height, width))
    names = [channel_names[index].lower() for index in measured_channels(channel_names, 0)]
    sampled = SampledPlane(is_colour=tuple(names) in _COLOURS)
    for rows, columns in windows:
        pixels = window(rows, columns)
        measured = measured_channels(channel_names, len(pixels)) or range(len(pixels))
        seen = prepared(_scaled(rows, scale[0], prepared.shape[0]), _scaled(columns, scale[1], prepared.shape[1]))
        sampled.add([pixels[index] for index in measured], seen, np.asarray(labels[rows, columns]))
    return PlaneMeasures(
        objects=len(table),
        megapixels=height * width / 1e6,
        diameter_px=_median(table["equivalent_diameter_px"]) * math.sqrt(scale[0] * scale[1]),
        cut=float(np.mean(table["touches_edge"])) if len(table) else float("nan"),
        sharpness=sampled.sharpness,
        saturated=sampled.saturated,
        contrast=prepared.contrast,
        brightness=sampled.brightness,
        object_contrast=sampled.object_contrast,
        covered=float(table["area_px"].sum()) / (height * width),
        touching=sampled.touching_among(_objects_in(windows, table)),
        values=sampled.values,
        flatness=sampled.flatness,
        colourfulness=sampled.colourfulness,
        missing=prepared.missing_share,
    )


def recorded_measures(values: object, planes: int) -> list[PlaneMeasures | None]:
    """Return the measures in the record of a run, or None for each plane if they are missing or damaged.

    Args:
        values: what the record has; for each plane a number or null by name, where null stands for NaN.
        planes: number of planes.

    >>> recorded_measures([{"objects": 3}], 1)
    [None]
    """
    if not isinstance(values, list) or len(values) != planes:
        return [None] * planes
    return [_recorded(value) for value in values]


def _recorded(value: object) -> PlaneMeasures | None:
    if not isinstance(value, dict) or value.keys() != {field.name for field in fields(PlaneMeasures)}:
        return None
    numbers: dict[str, Any] = {name: math.nan if number is None else number for name, number in value.items()}
    counts = [numbers["objects"], numbers["values"]]
    if any(type(number) not in (int, float) for number in numbers.values()) or not numbers["megapixels"] > 0:
        return None
    return PlaneMeasures(**numbers) if all(type(count) is int and count >= 0 for count in counts) else None


def sample_windows(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Return windows of equal size that cover a plane, or 16 windows spread over a large plane.

    Neighbouring windows of a small plane overlap by at most one pixel.

    Args:
        shape: (height, width) of the plane in pixels.

    >>> sample_windows((1001, 500))
    [(slice(0, 501, None), slice(0, 500, None)), (slice(500, 1001, None), slice(0, 500, None))]
    >>> len(sample_windows((50_000, 50_000)))
    16
    """
    rows, columns = (_parts(length) for length in shape)
    windows = [(row, column) for row in rows for column in columns]
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(_MOST_WINDOWS, len(windows))).astype(int))
    return [windows[index] for index in chosen]


def _parts(length: int) -> list[slice]:
    count = -(-length // _SIDE_PX)
    size = -(-length // count)
    return [slice(int(start), int(start) + size) for start in np.linspace(0, length - size, count)]


def _scaled(part: slice, scale: float, length: int) -> slice:
    """Return the part of an axis of the prepared plane that corresponds to a part of the plane, at least one pixel."""
    start = min(round(part.start * scale), length - 1)
    return slice(start, max(start + 1, min(round(part.stop * scale), length)))


def _objects_in(windows: Sequence[tuple[slice, slice]], table: ObjectTable) -> int:
    """Return the number of objects whose bounding box reaches into one of the windows."""
    reached: np.ndarray = np.zeros(len(table), bool)
    for rows, columns in windows:
        reached |= (
            (table["top_px"] < rows.stop)
            & (table["bottom_px"] > rows.start)
            & (table["left_px"] < columns.stop)
            & (table["right_px"] > columns.start)
        )
    return int(np.count_nonzero(reached))


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
