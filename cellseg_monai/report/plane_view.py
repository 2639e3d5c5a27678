"""A segmented plane of any size as pictures: all of it made small, and parts of it as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cellseg_monai.io.display import coloured, measured_channels
from cellseg_monai.io.shrinking import middle_samples, shrinking_step, square_means
from cellseg_monai.pixels import noise_level
from cellseg_monai.quality.measures import sample_windows
from cellseg_monai.report.segmented import OpenPlane

__all__ = ["PlaneView"]

_OVERVIEW_PX = 2800
_NOISE_FLOOR = 30.0  # as `Preprocessing` has it: empty fields stay dark


@dataclass(frozen=True, eq=False)
class PlaneView:
    """Pictures of a plane, all stretched alike: between the percentiles 0.1 and 99.9 of each channel.

    Args:
        plane: which, open.
    """

    plane: OpenPlane

    def overview(self) -> tuple[np.ndarray, np.ndarray]:
        """All of it, YX3 uint8, with its ids; of a large one each pixel stands for a square of pixels."""
        step = shrinking_step(self.plane.shape[1:], _OVERVIEW_PX)
        small = np.stack([square_means(self.plane, channel, step) for channel in self._channels])
        return self._picture(small), middle_samples(self.plane.labels, step)

    def crop(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """A part of it, YX3 uint8, with its ids."""
        part = self.plane.window(rows, columns)[self._channels]
        return self._picture(part), np.asarray(self.plane.labels[rows, columns])

    @property
    def _channels(self) -> list[int]:
        return measured_channels(self.plane.image.channel_names, self.plane.shape[0])[:3]

    def _picture(self, channels: np.ndarray) -> np.ndarray:
        low, high = (each[:, np.newaxis, np.newaxis] for each in self._limits)
        return coloured(np.clip((channels - low) / (high - low), 0, 1))

    @cached_property
    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        windows = sample_windows(self.plane.shape[1:])
        limits = [_limits_of(np.concatenate([self.plane[at, y, x] for y, x in windows])) for at in self._channels]
        lows, highs = np.array(limits, np.float64).T
        return lows, highs


def _limits_of(channel: Any) -> tuple[float, float]:
    low, high = np.percentile(channel, (0.1, 99.9))
    if low == high:
        low, high = channel.min(), channel.max()
    high = max(high, low + _NOISE_FLOOR * noise_level(channel))
    return float(low), float(high if high > low else low + 1)
