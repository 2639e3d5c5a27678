"""Detect faults that tifffile ignores: impossible sizes, and missing pages, strips and tiles, which it zero-fills."""

from __future__ import annotations

import struct
from pathlib import Path

import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.decoder_errors import check_plausible_size
from cellseg_monai.formats.tiff_files import contiguous_offset

__all__ = ["COPY_AGAIN", "check_old_jpeg", "check_page_chain", "check_segments", "check_size", "segment_place"]

_SEPARATE = 2  # samples are stored in separate planes
_UNCOMPRESSED, _LZW, _PACKBITS = 1, 5, 32773
_DEFLATE = (8, 32946)
_LARGEST_RATIO = {_LZW: 4096.0, _PACKBITS: 128.0, **dict.fromkeys(_DEFLATE, 1032.0)}
_LARGEST_OTHER_RATIO = 20_000.0  # zstd and CCITT compress an empty image to almost nothing
COPY_AGAIN = "the file is truncated or damaged, so copy or export it again"
"""The remedy in error messages about incomplete files."""

_DECISIVE_TAGS = {
    256: "ImageWidth",
    257: "ImageLength",
    258: "BitsPerSample",
    259: "Compression",
    262: "PhotometricInterpretation",
    273: "StripOffsets",
    277: "SamplesPerPixel",
    278: "RowsPerStrip",
    279: "StripByteCounts",
    284: "PlanarConfiguration",
    317: "Predictor",
    320: "ColorMap",
    322: "TileWidth",
    323: "TileLength",
    324: "TileOffsets",
    325: "TileByteCounts",
    338: "ExtraSamples",
    339: "SampleFormat",
    347: "JPEGTables",
    519: "JPEGQTables",
    520: "JPEGDCTables",
    521: "JPEGACTables",
    529: "YCbCrCoefficients",
    530: "YCbCrSubSampling",
    532: "ReferenceBlackWhite",
}
"""Tags that determine the pixels. If tifffile cannot read one, it uses the standard's default, giving wrong pixels."""

_TAG_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TAG_TYPE_BYTES |= {16: 8, 17: 8, 18: 8}


def check_page_chain(path: Path, tif: tifffile.TiffFile) -> None:
    """Follow the chain of pages to its end, because tifffile silently stops where the chain breaks.

    Raises:
        UnreadableImageError: the chain is a loop, or the file ends before a page or a tag that determines its pixels.
    """
    if tif.is_ndpi:  # NDPI has its own kind of offsets
        return
    layout, stream, size = tif.tiff, tif.filehandle, tif.filehandle.size
    offset, seen = tif.pages.first.offset, set[int]()
    while offset:
        if offset in seen:
            raise UnreadableImageError(
                path, f"the offset of page {len(seen)} points back to an earlier page", COPY_AGAIN
            )
        broken = _broken_tag(layout, stream, offset, size)
        if broken:
            raise UnreadableImageError(path, f"the tag {broken} of page {len(seen)} cannot be read", COPY_AGAIN)
        seen.add(offset)
        offset = _next_page(layout, stream, offset, size)
        if offset < 0:
            raise UnreadableImageError(path, f"the data ends before page {len(seen)}", COPY_AGAIN)


def _next_page(layout: tifffile.TiffFormat, stream: tifffile.FileHandle, offset: int, size: int) -> int:
    """Return the offset of the next page, 0 if there is none, or -1 if the file ends before the next page."""
    if offset + layout.tagnosize > size:
        return -1
    stream.seek(offset)
    (tags,) = struct.unpack(layout.tagnoformat, stream.read(layout.tagnosize))
    end = offset + layout.tagnosize + tags * layout.tagsize
    if end + layout.offsetsize > size:
        # Some writers omit the final 0. The file then ends right after the tags of the last page.
        return 0 if end == size else -1
    stream.seek(end)
    (next_offset,) = struct.unpack(layout.offsetformat, stream.read(layout.offsetsize))
    return int(next_offset) if next_offset < size else -1


def _broken_tag(layout: tifffile.TiffFormat, stream: tifffile.FileHandle, offset: int, size: int) -> str:
    """Return the name of the first unreadable tag that determines the pixels, or an empty string if there is none."""
    stream.seek(offset)
    count = stream.read(layout.tagnosize)
    tags = struct.unpack(layout.tagnoformat, count)[0] if len(count) == layout.tagnosize else 0
    table = stream.read(min(tags * layout.tagsize, size))
    for start in range(0, len(table) - layout.tagsize + 1, layout.tagsize):
        # A tag consists of a code and a type (2 bytes each), the number of values, and the values or their offset.
        code, kind = struct.unpack_from(layout.tagformat1, table, start)
        if code not in _DECISIVE_TAGS:
            continue
        n_values, _ = struct.unpack_from(layout.tagformat2, table, start + 4)
        n_bytes = n_values * _TAG_TYPE_BYTES.get(kind, 0)
        values_offset = struct.unpack_from(layout.offsetformat, table, start + layout.tagsize - layout.offsetsize)[0]
        if not n_bytes or (n_bytes > layout.tagoffsetthreshold and values_offset + n_bytes > size):
            return _DECISIVE_TAGS[code]
    return ""


def check_size(path: Path, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Reject an image that the file cannot hold, before any memory is allocated.

    Raises:
        UnreadableImageError: uncompressed pixels need more bytes than the file has, or compressed pixels would require
            an impossible compression ratio.
    """
    page = series.keyframe
    files = {id(p.parent): p.parent.filehandle.size for p in series.pages if p is not None}
    held = sum(files.values()) or tif.filehandle.size
    if page.compression == _UNCOMPRESSED:
        planes = series.size // max(1, page.imagewidth * page.imagelength)  # across all pages and samples
        in_row = 1 if page.planarconfig == _SEPARATE else page.samplesperpixel
        row = (page.imagewidth * in_row * page.bitspersample + 7) // 8  # padded to a whole byte
        needed = row * page.imagelength * planes // in_row
        if needed > held:
            raise UnreadableImageError(path, f"the pixels need {needed} bytes, but the file has {held}", COPY_AGAIN)
        ratio = 8.0  # a byte of 1-bit pixels decodes to eight bytes
    else:
        ratio = _LARGEST_RATIO.get(int(page.compression), _LARGEST_OTHER_RATIO)
    check_plausible_size(path, series.nbytes, largest_ratio=ratio, file_bytes=held)


def check_segments(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Reject an image with missing pages, strips or tiles, which tifffile would read as zeros.

    Sparse files from the GDAL library are an exception, because a missing strip or tile in them stands for an empty
    one.

    Raises:
        UnreadableImageError: pages, strips or tiles are missing; the message says how many.
    """
    offset = contiguous_offset(series)
    if offset is not None:
        end = offset + series.nbytes
        if end > series.keyframe.parent.filehandle.size:
            raise UnreadableImageError(path, f"the pixels end at byte {end}, beyond the end of the file", COPY_AGAIN)
        return
    pages = [page for page in series.pages if page is not None]
    missing = len(series.pages) - len(pages)
    if missing:
        raise UnreadableImageError(
            path, f"missing {missing} of {len(series.pages)} pages", "copy all files that belong to the image again"
        )
    for number, page in enumerate(pages):
        keyframe, size = series.keyframe, page.parent.filehandle.size
        counts, offsets = page.databytecounts, page.dataoffsets
        missing_segments = [
            n for n, (count, offset) in enumerate(zip(counts, offsets, strict=False)) if not (count and offset)
        ]
        n_missing = len(missing_segments) + abs(len(counts) - len(offsets))
        kind = "tiles" if keyframe.is_tiled else "strips"
        if n_missing and not keyframe.is_gdal:
            first = segment_place(keyframe, missing_segments[0] if missing_segments else min(len(counts), len(offsets)))
            raise UnreadableImageError(
                path,
                f"missing {n_missing} of {len(offsets)} {kind} in page {number}, the first being {first}",
                COPY_AGAIN,
            )
        for n, (offset, count) in enumerate(zip(offsets, counts, strict=False)):
            if offset + count > size:
                place = segment_place(keyframe, n)
                raise UnreadableImageError(path, f"the data ends within {place} of page {number}", COPY_AGAIN)


def segment_place(page: tifffile.TiffPage, index: int) -> str:
    """Describe a tile or strip of a page by its number and its rows and columns in the image."""
    rows = page.tilelength if page.is_tiled else page.rowsperstrip
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    across, down = -(-page.imagewidth // columns), -(-page.imagelength // rows)
    row, column = index // across % down * rows, index % across * columns
    where = f"rows {row} to {min(row + rows, page.imagelength) - 1}"
    if across > 1:
        where += f", columns {column} to {min(column + columns, page.imagewidth) - 1}"
    return f"{'tile' if page.is_tiled else 'strip'} {index} ({where})"


def check_old_jpeg(path: Path, page: tifffile.TiffPage) -> None:
    """Reject old-style JPEG with tables beyond the end of the file, as libtiff only warns about these.

    Raises:
        UnreadableImageError: the file ends within the tables.
    """
    stream = page.parent.filehandle
    ends = [0]
    for code in (519, 520, 521):  # quantisation, DC and AC tables, with one offset per component
        offsets = page.tags.valueof(code) or ()
        for offset in offsets if isinstance(offsets, tuple) else (offsets,):
            stream.seek(offset)
            # A quantisation table has 64 values. A Huffman table has 16 counts, then as many values as they add up to.
            ends.append(offset + (64 if code == 519 else 16 + sum(stream.read(16))))
    if max(ends) > stream.size:
        raise UnreadableImageError(path, "the data ends within the JPEG tables", COPY_AGAIN)
