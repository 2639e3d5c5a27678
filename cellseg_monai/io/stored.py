"""What a reader hands on: the values of a file as they are stored, in memory or not, and what the file says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["PixelSource", "Stored"]


class PixelSource(Protocol):
    """An array, or what can be asked for a part of one without having it in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""

    def __getitem__(self, selection: tuple[slice, ...], /) -> np.ndarray:
        """Return the values within one slice an axis; they start at 0 or later, and have no step."""


@dataclass(frozen=True)
class Stored:
    """An array as a file stores it, before its axes are put in order.

    Args:
        array: the values.
        axes: one letter of TPZCYXS for every axis of `array`.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel, or None.
        stated: the axes by the file itself, which names and sizes follow where the user gave others;
            with a letter of `axes.UNSTATED` for what the file does not say. None: the same as `axes`.
        smaller: the same image at lower resolutions, the next larger first, where the file has them.
    """

    array: PixelSource
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size_um: tuple[float, float] | None = None
    stated: str | None = None
    smaller: tuple[PixelSource, ...] = ()
