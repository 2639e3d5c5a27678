"""Turn the stored values of a TIFF into the picture that it shows, by palette or min-is-white."""

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
    """The conversion from stored values to the picture.

    Args:
        dtype: type of the converted values.
        table: colours or greys of the indices; None if values are inverted instead.
        white: stored value that is shown as black, if values are inverted.
    """

    dtype: np.dtype
    table: np.ndarray | None = None
    white: int = 0

    @property
    def has_colours(self) -> bool:
        """True if the conversion adds a last axis of three samples."""
        return self.table is not None and self.table.ndim == 2

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Convert stored values."""
        if self.table is not None:
            return look_up(stored, self.table)
        return ~stored if stored.dtype == bool else stored.dtype.type(self.white) - stored


def shown_picture(path: Path, page: tifffile.TiffPage, *, indices: bool) -> ShownPicture | None:
    """Return the conversion that palette or min-is-white ask for; None if the values are shown as stored.

    Args:
        path: path of the file, for messages.
        page: a page that stands for all.
        indices: True if the stored values are wanted wherever they could be labels.

    Raises:
        UnreadableImageError: the palette is broken, or floating-point values are marked as min-is-white.
    """
    if page.photometric == _PALETTE and not indices:
        if page.colormap is None or page.samplesperpixel != 1:
            raise UnreadableImageError(path, "its palette is missing or broken", "save it as RGB or grey")
        table = palette_table(_smallest(page.colormap.T))
        return ShownPicture(table.dtype, table)
    if page.photometric != _MINISWHITE or page.samplesperpixel != 1:
        return None
    dtype = np.dtype(page.dtype)
    if dtype.kind == "b":  # a mask: white is what was marked, in labels as well
        return ShownPicture(dtype)
    if indices:
        return None
    if dtype.kind == "u":
        return ShownPicture(dtype, white=2**page.bitspersample - 1)
    raise UnreadableImageError(path, f"{dtype} pixels are marked as min-is-white", "save them as min-is-black")


def _smallest(palette: np.ndarray) -> np.ndarray:
    # TIFF palettes have 16 bits. Writers scale 8-bit colours by 257 or 256; undo that. Any other palette is 16-bit.
    """Return a palette in the smallest type that holds its colours."""
    if not (palette % 257).any() or not (palette % 256).any():
        return (palette >> 8).astype(np.uint8)
    return palette.astype(np.uint16)
