"""Measures of a segmented plane, used to tell whether the plane is unusual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.io.display import measured_channels
from cellseg_monai.labels import ObjectTable
from cellseg_monai.pixels import (
    Preprocessing,
    contrast_over_noise,
    network_scale,
    prepare,
    prepared_shape,
    rescale,
    saturated_share,
    select_channels,
    sharpness,
)

__all__ = ["PlaneMeasures", "Window", "measure_plane", "sample_windows"]

Window = Callable[[slice, slice], np.ndarray]
"""A function that takes slices of rows and columns, and returns that part of a plane, CYX in file units."""

_SIDE_PX, _MOST_WINDOWS = 768, 16


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
) -> PlaneMeasures:
    """Measure a segmented plane. If the plane is large, its pixels are measured in 16 windows spread over it.

    Args:
        window: function that takes slices of rows and columns, and returns that part of the plane, CYX in file units.
        labels: YX ids of the objects, with 0 for background; read in the same windows as the pixels.
        table: measurements of the objects.
        settings: preprocessing settings of the network.
        channel_names: one name per channel; empty if unknown.
        pixel_size_um: (y, x) pixel size; None if unknown.

    Raises:
        ValueError: the plane contains NaN, or lacks a channel or a pixel size that the settings require.
    """
    height, width = labels.shape
    windows = sample_windows((height, width))
    parts = [window(rows, columns) for rows, columns in windows]
    inside = [np.asarray(labels[rows, columns]) > 0 for rows, columns in windows]
    # Join the windows, so that they are normalised as one image; `_sharpness` rescales each window separately.
    sample = np.concatenate(parts, axis=1)
    if sample.dtype == bool:  # NumPy cannot subtract Booleans
        sample = sample.astype(np.uint8)
    prepared = np.split(prepare(sample, settings.at_zoom(None), channel_names=channel_names).mean(axis=0), len(parts))
    network_shape = prepared_shape((height, width), settings, pixel_size_um=pixel_size_um)
    measured = measured_channels(channel_names, len(sample))
    selected = select_channels(sample, settings.channels, channel_names=channel_names)
    percentiles = settings.lower_percentile, settings.upper_percentile
    return PlaneMeasures(
        objects=len(table),
        megapixels=height * width / 1e6,
        diameter_px=_median(table["equivalent_diameter_px"])
        * network_scale((height, width), settings, pixel_size_um=pixel_size_um),
        cut=float(np.mean(table["touches_edge"])) if len(table) else float("nan"),
        sharpness=_sharpness(prepared, inside, (network_shape[0] / height, network_shape[1] / width)),
        saturated=max(saturated_share(sample[channel]) for channel in measured),
        contrast=max(contrast_over_noise(channel, *percentiles) for channel in selected),
        brightness=float(np.mean(prepared)),
        object_contrast=_object_contrast(np.stack(prepared), np.stack(inside)),
    )


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


def _sharpness(prepared: Sequence[np.ndarray], inside: Sequence[np.ndarray], scale: tuple[float, float]) -> float:
    """Return the median sharpness of the windows that contain objects, or of all windows if none does.

    Windows without objects contain nothing that could be sharp.
    """
    filled = [part for part, mask in zip(prepared, inside, strict=True) if mask.any()] or prepared
    values = []
    for part in filled:
        shape = (max(1, round(part.shape[0] * scale[0])), max(1, round(part.shape[1] * scale[1])))
        values.append(sharpness(rescale(part[np.newaxis], shape)[0]))
    return _median(np.array(values)[np.isfinite(values)])


def _object_contrast(prepared: np.ndarray, inside: np.ndarray) -> float:
    if not inside.any() or inside.all():
        return float("nan")
    return float(prepared[inside].mean(dtype=np.float64) - prepared[~inside].mean(dtype=np.float64))


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
