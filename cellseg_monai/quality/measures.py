"""What is measured of a segmented plane to tell whether it is as it should be."""

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
"""From rows and columns within a plane to its pixels there, CYX as measured."""

_SIDE_PX, _MOST = 768, 16


@dataclass(frozen=True)
class PlaneMeasures:
    """A segmented plane in numbers; NaN is what cannot be known of it.

    Args:
        objects: how many.
        megapixels: of the plane.
        diameter_px: the median of the objects' equivalent diameters, at the scale of the network.
        cut: the share of objects that touch the border.
        sharpness: see `pixels.sharpness`, of the prepared plane.
        saturated: see `pixels.saturated_share`, of the channel that has most.
        contrast: see `pixels.contrast_over_noise`, of the channel of the network that has most.
        brightness: the mean of the prepared plane, 0 to 1.
        object_contrast: the mean of the prepared plane within objects less that outside; negative for dark objects.
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
        """Objects in a million pixels."""
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
    """Measure a segmented plane; of a large one, 16 windows spread over it stand for the pixels of all.

    Args:
        window: gives its pixels.
        labels: YX ids of its objects, 0 is background, sliced likewise.
        table: of these objects.
        settings: how the network wants images.
        channel_names: one per channel, or none.
        pixel_size_um: (y, x), if known.

    Raises:
        ValueError: the plane lacks a channel or the pixel size that the settings ask for, or holds NaN.
    """
    height, width = labels.shape
    windows = sample_windows((height, width))
    parts = [window(rows, columns) for rows, columns in windows]
    inside = [np.asarray(labels[rows, columns]) > 0 for rows, columns in windows]
    # Side by side they are normalised as one image; each is brought to the network's scale by itself.
    sample = np.concatenate(parts, axis=1)
    if sample.dtype == bool:  # of which numpy takes no differences
        sample = sample.astype(np.uint8)
    prepared = np.split(prepare(sample, settings.at_zoom(None), channel_names=channel_names).mean(axis=0), len(parts))
    seen = prepared_shape((height, width), settings, pixel_size_um=pixel_size_um)
    measured = measured_channels(channel_names, len(sample))
    selected = select_channels(sample, settings.channels, channel_names=channel_names)
    percentiles = settings.lower_percentile, settings.upper_percentile
    return PlaneMeasures(
        objects=len(table),
        megapixels=height * width / 1e6,
        diameter_px=_median(table["equivalent_diameter_px"])
        * network_scale((height, width), settings, pixel_size_um=pixel_size_um),
        cut=float(np.mean(table["touches_edge"])) if len(table) else float("nan"),
        sharpness=_sharpness(prepared, inside, (seen[0] / height, seen[1] / width)),
        saturated=max(saturated_share(sample[at]) for at in measured),
        contrast=max(contrast_over_noise(channel, *percentiles) for channel in selected),
        brightness=float(np.mean(prepared)),
        object_contrast=_object_contrast(np.stack(prepared), np.stack(inside)),
    )


def sample_windows(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Windows of one size that cover a plane, and overlap by a pixel or none; of a large one, 16 spread over it.

    Args:
        shape: (Y, X).

    >>> sample_windows((1001, 500))
    [(slice(0, 501, None), slice(0, 500, None)), (slice(500, 1001, None), slice(0, 500, None))]
    >>> len(sample_windows((50_000, 50_000)))
    16
    """
    rows, columns = (_parts(length) for length in shape)
    windows = [(row, column) for row in rows for column in columns]
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(_MOST, len(windows))).astype(int))
    return [windows[at] for at in chosen]


def _parts(length: int) -> list[slice]:
    count = -(-length // _SIDE_PX)
    size = -(-length // count)
    return [slice(int(at), int(at) + size) for at in np.linspace(0, length - size, count)]


def _sharpness(prepared: Sequence[np.ndarray], inside: Sequence[np.ndarray], scale: tuple[float, float]) -> float:
    """The median over the windows, those with objects where there are any: what is empty has nothing to be sharp."""
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
