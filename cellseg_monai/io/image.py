"""The result of every reader: pixels with what the file says about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LEADING_AXES", "Image"]

LEADING_AXES = "TPZ"
"""Time, position, depth: the axes that can precede C, Y, X, in this order."""


@dataclass(frozen=True, eq=False)
class Image:
    """An image as stored in its file, with the axes in the same order for every format.

    Args:
        pixels: values with one axis for every letter of `axes`; contiguous, writable, in native byte order, and of the
            type that the file stores: bool for 1 bit, the next larger integer type for odd depths (uint16 for 12 bits,
            uint32 for 24 bits), float16 as float16. Values are never scaled.
        axes: "CYX", preceded by T (time), P (position) and Z (depth) if the file has them, as in "TZCYX". An image
            without channels has C = 1.
        pixel_size_um: height and width of a pixel in micrometres; None if the file does not say.
        channel_names: one name for each channel, "" for an unnamed one; empty if the file names none. Colours are
            called "red", "green", "blue" and "alpha".

    Raises:
        ValueError: the arguments contradict each other.

    >>> Image(np.zeros((1, 4, 6)), "CYX").pixels.shape
    (1, 4, 6)
    """

    pixels: np.ndarray
    axes: str
    pixel_size_um: tuple[float, float] | None = None
    channel_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        leading = self.axes[:-3]
        if not self.axes.endswith("CYX") or leading != "".join(a for a in LEADING_AXES if a in leading):
            raise ValueError(
                f"got axes {self.axes!r}, expected 'CYX', optionally preceded by T, P and Z in this order; reorder them"
            )
        if self.pixels.ndim != len(self.axes):
            raise ValueError(
                f"pixels of shape {self.pixels.shape} do not fit the axes {self.axes!r}; pass one letter for each axis"
            )
        n_channels = self.pixels.shape[-3]
        if self.channel_names and len(self.channel_names) != n_channels:
            raise ValueError(
                f"got {len(self.channel_names)} channel names for {n_channels} channels; pass one for each or none"
            )
