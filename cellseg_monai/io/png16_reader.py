"""Use imagecodecs to read PNGs with several 16-bit samples per pixel, which Pillow silently reduces to 8 bits.

imagecodecs stops after the last row, so on its own it accepts truncated files and damaged metadata chunks. This module
therefore first verifies all checksums up to the end marker, which reveals truncated files and flipped bits before
anything is decoded. libpng rejects files that pass this check but hold invalid pixels or too few. For every file
rejected in this way, imagecodecs (2026.3.6) leaks the memory of the image, and its error text may be garbage.
"""

from __future__ import annotations

import logging
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.axes import settle_axes
from cellseg_monai.io.colour_names import GREY_ALPHA, RGB, RGBA
from cellseg_monai.io.decoder_errors import check_plausible_size, decoding
from cellseg_monai.io.stored import Stored

__all__ = ["load"]

_NAMES = {2: RGB, 4: GREY_ALPHA, 6: RGBA}  # by PNG colour type
_SIGNATURE_BYTES = 8
_LARGEST_RATIO = 1100.0  # the limit of deflate, rounded up
_ITEM_BYTES = 2

# imagecodecs logs this warning from libpng for every interlaced file, although it reads all the pixels.
logging.getLogger("imagecodecs").addFilter(lambda record: "Interlace handling" not in record.getMessage())


def load(path: Path, axes: str | None) -> Stored:
    """Return the array in a file, with the axes Y, X, samples.

    Args:
        path: file to read.
        axes: axes according to the user, or None.

    Raises:
        UnreadableImageError: the file is truncated or damaged, or the axes from the user do not fit the array.
    """
    with decoding(path):
        content = path.read_bytes()
        chunks = _checked_chunks(path, content)
        width, height, _, kind = struct.unpack(">IIBB", chunks[0][1][:10])
        if kind not in _NAMES:
            raise UnreadableImageError(
                path, f"its PNG header is broken (there is no PNG colour type {kind})", "copy or export it again"
            )
        names = _NAMES[kind]
        declared = width * height * len(names) * _ITEM_BYTES
        check_plausible_size(path, declared, largest_ratio=_LARGEST_RATIO, file_bytes=len(content))
        try:
            array = imagecodecs.png_decode(content)
        except (RuntimeError, ValueError) as error:
            raise UnreadableImageError(
                path, "its pixels cannot be decompressed", "the PNG is faulty, so save it again as plain TIFF"
            ) from error
        significant = _significant_bits(chunks, len(names))
        if significant is not None:
            array[..., : len(names)] >>= 8 * _ITEM_BYTES - significant
        return Stored(array, settle_axes(path, array.shape, "YXS", axes), names, stated="YXS")


def _checked_chunks(path: Path, content: bytes) -> list[tuple[bytes, memoryview]]:
    """Return the name and data of each chunk, after verifying its checksum.

    Raises:
        UnreadableImageError: the file ends before the end marker, or a checksum is wrong.
    """
    view = memoryview(content)
    chunks: list[tuple[bytes, memoryview]] = []
    start = _SIGNATURE_BYTES
    while not chunks or chunks[-1][0] != b"IEND":
        data = start + 8
        end = data + int.from_bytes(view[start : start + 4], "big")
        checksum = view[end : end + 4]
        if len(checksum) < 4:
            raise UnreadableImageError(path, "the file ends before its PNG end marker", "copy or export it again")
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(checksum, "big"):
            raise UnreadableImageError(
                path,
                f"the checksum of its PNG chunk at byte {start} is wrong",
                "it is damaged, so copy or export it again",
            )
        chunks.append((bytes(view[start + 4 : data]), view[data:end]))
        start = end + 4
    return chunks


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
