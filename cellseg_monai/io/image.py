"""What every reader returns: pixels with what the file says about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LEADING_AXES", "Image"]

LEADING_AXES = "TPZ"
"""Time, position, depth: the axes that may stand before C, Y, X, in this order."""


@dataclass(frozen=True, eq=False)
class Image:
    """An image as its file holds it, with the axes in one order whatever the format.

    Args:
        pixels: one axis for every letter of `axes`; contiguous, writable, native byte order, and of
            the type that the file stores: bool for 1 bit, the next larger integer for odd depths
            (12 bit is uint16, 24 bit is uint32), float16 as float16. Values are never scaled.
        axes: "CYX", after T (time), P (position) and Z (depth) where the file has them: "TZCYX".
            An image without channels has C = 1.
        pixel_size_um: height and width of a pixel in micrometres; None if the file does not say.
        channel_names: one a channel, "" for one without a name; empty if the file names none. Colours are
            "red", "green", "blue" (, "alpha").

    Raises:
        ValueError: if the parts contradict each other.

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
            raise ValueError(f"axes are {self.axes!r}; they must be 'CYX', with T, P and Z in that order before it")
        if self.pixels.ndim != len(self.axes):
            raise ValueError(f"pixels of shape {self.pixels.shape} do not fit the axes {self.axes!r}")
        n_channels = self.pixels.shape[-3]
        if self.channel_names and len(self.channel_names) != n_channels:
            raise ValueError(f"{len(self.channel_names)} channel names for {n_channels} channels")
