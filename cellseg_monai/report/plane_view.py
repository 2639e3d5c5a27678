"""Pictures of segmented planes for display: reduced overviews, and crops at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellseg_monai.io.display import coloured, measured_channels
from cellseg_monai.io.shrinking import shrink
from cellseg_monai.pixels import Preprocessing, percentile_ranges
from cellseg_monai.pixels.normalise import scale_between
from cellseg_monai.quality.measures import sample_windows
from cellseg_monai.report.segmented_plane import OpenPlane

__all__ = ["PlaneView"]

_OVERVIEW_PX = 2800
_REFUSED_FROM = 1e38  # `percentile_ranges` raises an error for magnitudes this large


@dataclass(frozen=True, eq=False)
class PlaneView:
    """Pictures of a plane that all share the same contrast.

    Each channel is stretched between its 0.1 and 99.9 percentiles. Empty fields stay dark.

    Args:
        plane: the open plane.
    """

    plane: OpenPlane

    def overview(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a picture of the whole plane (YX3 uint8) and its ids (YX), both reduced if the plane is large."""
        small, labels = shrink(self.plane.pixels, self.plane.labels, self._channels, longest_px=_OVERVIEW_PX)
        return self._picture(small), labels

    def crop(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return a picture of part of the plane (YX3 uint8) and its ids (YX), at full resolution."""
        return self._picture(self._pixels(rows, columns)), np.asarray(self.plane.labels[rows, columns])

    @property
    def _channels(self) -> list[int]:
        pixels = self.plane.pixels
        return measured_channels(pixels.image.channel_names, pixels.shape[0])[:3]

    def _pixels(self, rows: slice, columns: slice) -> np.ndarray:
        return self.plane.pixels.window(rows, columns, channels=self._channels)

    def _picture(self, pixels: np.ndarray) -> np.ndarray:
        values = _finite(pixels.astype(np.float64))
        channels = zip(values, self._ranges, strict=True)
        return coloured(np.stack([scale_between(channel, low, high, clip=True) for channel, (low, high) in channels]))

    @cached_property
    def _ranges(self) -> list[tuple[float, float]]:
        windows = sample_windows(self.plane.pixels.shape[1:])
        sample = _finite(np.concatenate([self._pixels(*window) for window in windows], axis=1))
        shape = (sample.shape[1], sample.shape[2])
        return percentile_ranges(
            lambda rows, columns: sample[:, rows, columns], shape, noise_floor=Preprocessing.noise_floor
        )


def _finite(pixels: np.ndarray) -> np.ndarray:
    """Set NaN, infinite and huge values to 0.

    Channels that the network does not use can contain them, and `percentile_ranges` rejects them.
    """
    if pixels.dtype.kind != "f":
        return pixels
    return np.where(np.abs(pixels.astype(np.float64)) < _REFUSED_FROM, pixels, 0)
