"""Check a PNG before it is decoded: the checksum of each chunk, and the size of the decompressed pixels.

Decoders do not do this reliably. Pillow ignores the checksums of some chunks, allocates as many bytes as the length of
a chunk states, and stops after the last row that the header declares. imagecodecs ignores everything after that row.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.decoder_errors import check_plausible_size

__all__ = ["CheckedPng", "checked_png"]

_SIGNATURE_BYTES = 8
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: grey, RGB, palette, grey with alpha, RGB with alpha
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_LARGEST_RATIO = 1100.0  # the limit of deflate, rounded up
_PIECE_BYTES = 2**14  # of compressed data, so that at most 17 MB are in memory
# First row, first column, and distances between rows and columns in each pass of an interlaced image.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_TEXTS = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}  # unlimited in size when decompressed, and without effect on the pixels
_COPY_AGAIN = "it is damaged, so copy or export it again"
_FAULTY = "the PNG is faulty, so save it again as plain TIFF"


class CheckedPng(NamedTuple):
    """The contents of a PNG whose checksums and sizes are right.

    Args:
        width: number of columns.
        height: number of rows.
        depth: number of bits of a sample.
        kind: PNG colour type.
        chunks: name and data of each chunk in the file.
    """

    width: int
    height: int
    depth: int
    kind: int
    chunks: list[tuple[bytes, memoryview]]

    @property
    def n_samples(self) -> int:
        """Number of samples of a pixel."""
        return _SAMPLES[self.kind]

    def without_texts(self) -> BytesIO:
        """Return the file without texts and colour profiles, which a decoder would only decompress."""
        parts: list[bytes | memoryview] = [b"\x89PNG\r\n\x1a\n"]
        for name, data in self.chunks:
            if name not in _TEXTS:
                checksum = zlib.crc32(data, zlib.crc32(name))
                parts += [struct.pack(">I", len(data)), name, data, struct.pack(">I", checksum)]
        return BytesIO(b"".join(parts))


def checked_png(path: Path, content: bytes) -> CheckedPng:
    """Return the contents of a PNG after checking everything that a decoder relies on.

    Args:
        path: image file, named in error messages.
        content: all bytes of the file. Those after the end marker are ignored.

    Raises:
        UnreadableImageError: the file ends before the end marker, a checksum is wrong, the header is broken, or the
            pixels decompress to another size than the header declares.
    """
    chunks = _checked_chunks(path, content)
    name, header = chunks[0]
    if name != b"IHDR" or len(header) != 13 or any(name == b"IHDR" for name, _ in chunks[1:]):
        raise UnreadableImageError(path, "its PNG header is broken", "copy or export it again")
    width, height, depth, kind, packing, filtering, interlacing = struct.unpack(">IIBBBBB", header)
    if kind not in _SAMPLES:
        raise UnreadableImageError(
            path, f"its PNG header is broken (there is no PNG colour type {kind})", "copy or export it again"
        )
    if depth not in _DEPTHS[kind] or packing or filtering or interlacing > 1 or not (width and height):
        raise UnreadableImageError(path, "its PNG header is broken", "copy or export it again")
    png = CheckedPng(width, height, depth, kind, chunks)
    _check_pixels(path, png, is_interlaced=bool(interlacing), file_bytes=len(content))
    return png


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
            raise UnreadableImageError(path, f"the checksum of its PNG chunk at byte {start} is wrong", _COPY_AGAIN)
        chunks.append((bytes(view[start + 4 : data]), view[data:end]))
        start = end + 4
    return chunks


def _check_pixels(path: Path, png: CheckedPng, *, is_interlaced: bool, file_bytes: int) -> None:
    """Refuse pixels that decompress to another size than the header declares; memory stays small."""
    declared = _packed_bytes(png, is_interlaced=is_interlaced)
    check_plausible_size(path, declared, largest_ratio=_LARGEST_RATIO, file_bytes=file_bytes)
    inflate, found = zlib.decompressobj(), 0
    pieces = (
        data[start : start + _PIECE_BYTES]
        for name, data in png.chunks
        if name == b"IDAT"
        for start in range(0, len(data), _PIECE_BYTES)
    )
    try:
        for piece in pieces:
            found += len(inflate.decompress(piece))
            if inflate.eof or found > declared:
                break
    except zlib.error as error:
        raise UnreadableImageError(path, "its pixels cannot be decompressed", _FAULTY) from error
    if found != declared:
        what = "there are more" if found > declared else f"there are only {found}"
        raise UnreadableImageError(path, f"its header declares {declared} bytes of pixels, but {what}", _FAULTY)


def _packed_bytes(png: CheckedPng, *, is_interlaced: bool) -> int:
    """Return the size of all rows, each of which is padded to a whole byte and begins with the type of its filter."""
    passes = _PASSES if is_interlaced else ((0, 0, 1, 1),)
    total = 0
    for top, left, row_step, column_step in passes:
        rows = max(0, -(-(png.height - top) // row_step))
        columns = max(0, -(-(png.width - left) // column_step))
        if rows and columns:
            total += rows * (1 + (columns * png.n_samples * png.depth + 7) // 8)
    return total
