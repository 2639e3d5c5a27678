"""Use imagecodecs to read PNGs with several 16-bit samples per pixel, which Pillow silently reduces to 8 bits.

`png_chunks` checks the file first, because imagecodecs stops after the last row and so accepts truncated files. libpng
refuses files that pass this check but hold invalid pixels. Each time it does, imagecodecs (2026.3.6) leaks the memory
of the image, and its error message can be random.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import settle_axes
from cellseg_monai.formats.colour_names import GREY_ALPHA, RGB, RGBA
from cellseg_monai.formats.orientation import ORIENTATION_TAG, orientation_notes
from cellseg_monai.formats.png_chunks import CheckedPng
from cellseg_monai.formats.stored import Stored

__all__ = ["load"]

_NAMES = {2: RGB, 4: GREY_ALPHA, 6: RGBA}  # by PNG colour type
_ITEM_BYTES = 2

# imagecodecs logs this warning from libpng for every interlaced file, although it reads all the pixels.
logging.getLogger("imagecodecs").addFilter(lambda record: "Interlace handling" not in record.getMessage())


def load(path: Path, png: CheckedPng, content: bytes, axes: str | None) -> Stored:
    """Return the array in a file, with the axes Y, X, samples.

    Args:
        path: image file, named in error messages.
        png: the contents of the file, after the checks.
        content: all bytes of the file.
        axes: axes according to the user, or None.

    Raises:
        UnreadableImageError: the pixels cannot be decompressed, or the axes from the user do not fit the array.
    """
    names = _NAMES[png.kind]
    try:
        array = imagecodecs.png_decode(content)
    except (RuntimeError, ValueError) as error:
        raise UnreadableImageError(
            path, "its pixels cannot be decompressed", "the PNG is faulty, so save it again as plain TIFF"
        ) from error
    significant = _significant_bits(png.chunks, len(names))
    if significant is not None:
        array[..., : len(names)] >>= 8 * _ITEM_BYTES - significant
    notes = orientation_notes(_orientation(png.chunks))
    return Stored(array, settle_axes(path, array.shape, "YXS", axes), names, stated="YXS", notes=notes)


def _orientation(chunks: list[tuple[bytes, memoryview]]) -> object:
    """Return the value of the orientation tag in the EXIF metadata, or None; broken metadata count as none."""
    exif = PIL.Image.Exif()
    for name, data in chunks:
        if name == b"eXIf":
            with suppress(Exception):
                exif.load(bytes(data))
    return exif.get(ORIENTATION_TAG)


def _significant_bits(chunks: list[tuple[bytes, memoryview]], n_samples: int) -> np.ndarray | None:
    """Return the number of significant bits of each sample, or None if the file does not state it.

    A 12-bit camera, for example, gives 16-bit samples whose last four bits are padding, which the caller removes.
    """
    for name, data in chunks:
        if name in (b"PLTE", b"IDAT"):
            return None  # an sBIT chunk counts only if it comes before these
        if name == b"sBIT":
            bits = np.frombuffer(data, np.uint8)
            is_valid = len(bits) == n_samples and all(1 <= n <= 8 * _ITEM_BYTES for n in bits)
            return bits if is_valid else None
    return None
