"""The image that every reader returns: pixels with their axes, pixel size and channel names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.formats.axes import LEADING_AXES
from cellseg_monai.formats.notes import Note

__all__ = ["Image"]


@dataclass(frozen=True, eq=False)
class Image:
    """An image as stored in its file, but with the axes in the same order for every format.

    Args:
        pixels: values with one axis per letter of `axes`: contiguous, writable and in native byte order. The type is
            that in the file, with bool for 1 bit and the next larger integer type for unusual depths (uint16 for 12
            bits, uint32 for 24 bits). Values are never scaled.
        axes: "CYX", preceded by whichever of T (time), P (position) and Z (depth) the file has, as in "TZCYX". An
            image without a channel axis gets one of length 1.
        pixel_size_um: height and width of a pixel in micrometres, or None if the file does not state them.
        channel_names: one name per channel, "" for an unnamed channel; empty if the file names none. Colours are
            called "red", "green", "blue" and "alpha".
        notes: what the file states but the reader did not use, such as a pixel size in an unknown unit.
        z_step_um: distance between planes along Z in micrometres, or None if the file does not state it.
        time_step_s: time between two time points in seconds, or None if the file does not state it.

    Raises:
        ValueError: the arguments contradict each other.

    >>> Image(np.zeros((1, 4, 6)), "CYX").pixels.shape
    (1, 4, 6)
    """

    pixels: np.ndarray
    axes: str
    pixel_size_um: tuple[float, float] | None = None
    channel_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    z_step_um: float | None = None
    time_step_s: float | None = None

    def __post_init__(self) -> None:
        leading = self.axes[:-3]
        if not self.axes.endswith("CYX") or leading != "".join(a for a in LEADING_AXES if a in leading):
            raise ValueError(
                f"got axes {self.axes!r}, expected 'CYX', optionally preceded by T, P and Z in that order; reorder "
                "the axes"
            )
        if self.pixels.ndim != len(self.axes):
            raise ValueError(
                f"got pixels of shape {self.pixels.shape} for axes {self.axes!r}; pass one letter for each dimension"
            )
        n_channels = self.pixels.shape[-3]
        if self.channel_names and len(self.channel_names) != n_channels:
            raise ValueError(
                f"the number of channel names ({len(self.channel_names)}) differs from the number of channels "
                f"({n_channels}); pass one name for each channel, or none"
            )
