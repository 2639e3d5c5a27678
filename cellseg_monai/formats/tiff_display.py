"""Convert the stored values in a TIFF to the picture that the file displays, by palette or min-is-white."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.palette import look_up, palette_table

__all__ = ["ShownPicture", "shown_picture"]

_MINISWHITE, _PALETTE = 0, 3


@dataclass(frozen=True)
class ShownPicture:
    """The conversion from stored values to the displayed picture.

    Args:
        dtype: type of the converted values.
        table: colour or grey for each index, or None if values are inverted instead.
        white: highest possible stored value, which becomes 0 if values are inverted.
    """

    dtype: np.dtype
    table: np.ndarray | None = None
    white: int = 0

    @property
    def has_colours(self) -> bool:
        """True if the conversion appends an axis of three samples."""
        return self.table is not None and self.table.ndim == 2

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Convert stored values to those of the displayed picture."""
        if self.table is not None:
            return look_up(stored, self.table)
        return ~stored if stored.dtype == bool else stored.dtype.type(self.white) - stored


def shown_picture(path: Path, page: tifffile.TiffPage, *, indices: bool) -> ShownPicture | None:
    """Return the conversion that the palette or min-is-white requires, or None if values are displayed as stored.

    Args:
        path: image file, named in error messages.
        page: any page of the image, because all pages are displayed in the same way.
        indices: True to keep stored values, because they could be labels; only 1-bit masks are still inverted.

    Raises:
        UnreadableImageError: the palette is missing or broken, or values other than unsigned integers are marked as
            min-is-white.
    """
    if page.photometric == _PALETTE and not indices:
        if page.colormap is None or page.samplesperpixel != 1:
            raise UnreadableImageError(path, "its palette is missing or broken", "save it as RGB or grey")
        table = palette_table(_smallest(page.colormap.T))
        return ShownPicture(table.dtype, table)
    if page.photometric != _MINISWHITE or page.samplesperpixel != 1:
        return None
    dtype = np.dtype(page.dtype)
    if dtype.kind == "b":  # a mask, in which the marked pixels are white, even if the image holds labels
        return ShownPicture(dtype)
    if indices:
        return None
    if dtype.kind == "u":
        return ShownPicture(dtype, white=2**page.bitspersample - 1)
    raise UnreadableImageError(path, f"its {dtype} pixels are marked as min-is-white", "save them as min-is-black")


def _smallest(palette: np.ndarray) -> np.ndarray:
    """Return a palette in the smallest type that can hold its colours."""
    # TIFF palettes have 16 bits. Writers scale 8-bit colours by 257 or 256, so undo this. Other palettes keep 16 bits.
    if not (palette % 257).any() or not (palette % 256).any():
        return (palette >> 8).astype(np.uint8)
    return palette.astype(np.uint16)
