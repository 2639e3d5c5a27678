"""Palette and min-is-white: from the values that a TIFF stores to the picture that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.palette import look_up, palette_table

__all__ = ["ShownPicture", "shown_picture"]

_MINISWHITE, _PALETTE = 0, 3


@dataclass(frozen=True)
class ShownPicture:
    """What is done to the stored values.

    Args:
        dtype: of the values that are shown.
        table: the colours or greys of the indices; None where values are inverted.
        white: the stored value that is black, where values are inverted.
    """

    dtype: np.dtype
    table: np.ndarray | None = None
    white: int = 0

    @property
    def has_colours(self) -> bool:
        """Whether an axis of three samples comes after those that are stored."""
        return self.table is not None and self.table.ndim == 2

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Return what is shown of stored values."""
        if self.table is not None:
            return look_up(stored, self.table)
        return ~stored if stored.dtype == bool else stored.dtype.type(self.white) - stored


def shown_picture(path: Path, page: tifffile.TiffPage, *, indices: bool) -> ShownPicture | None:
    """Return what palette or min-is-white make of the values; None if these are shown as they are.

    Args:
        path: the file, for messages.
        page: one that stands for all.
        indices: whether the stored values are wanted wherever they may be labels.

    Raises:
        UnreadableImageError: if the palette is broken, or low is bright in fractions.
    """
    if page.photometric == _PALETTE and not indices:
        if page.colormap is None or page.samplesperpixel != 1:
            raise UnreadableImageError(path, "its palette is missing or broken", "save it as RGB or grey")
        table = palette_table(_smallest(page.colormap.T))
        return ShownPicture(table.dtype, table)
    if page.photometric != _MINISWHITE or page.samplesperpixel != 1:
        return None
    dtype = np.dtype(page.dtype)
    if dtype.kind == "b":  # a mask, of which white is what was marked, also as labels
        return ShownPicture(dtype)
    if indices:
        return None
    if dtype.kind == "u":
        return ShownPicture(dtype, white=2**page.bitspersample - 1)
    raise UnreadableImageError(path, f"{dtype} pixels marked as min-is-white", "save them as min-is-black")


def _smallest(palette: np.ndarray) -> np.ndarray:
    # TIFF palettes have 16 bits. Writers fill them from 8 bits as v·257 or v·256: those are 8-bit
    # colours. Any other palette keeps its 16 bits.
    if not (palette % 257).any() or not (palette % 256).any():
        return (palette >> 8).astype(np.uint8)
    return palette.astype(np.uint16)
