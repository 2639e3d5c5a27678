"""What tifffile lets pass: missing pages and strips that it fills with zeros, sizes that cannot be."""

from __future__ import annotations

import struct
from pathlib import Path

import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.decoding import check_plausible_size

__all__ = ["AGAIN", "check_old_jpeg", "check_page_chain", "check_segments", "check_size", "segment_place"]

_SEPARATE = 2  # planes of samples, one after the other
_NONE, _LZW, _PACKBITS = 1, 5, 32773
_DEFLATE = (8, 32946)
_LARGEST_RATIO = {_LZW: 4096.0, _PACKBITS: 128.0, **dict.fromkeys(_DEFLATE, 1032.0)}
_LARGEST_OTHER_RATIO = 20_000.0  # zstd and CCITT shrink an empty image to almost nothing
AGAIN = "the file is cut off or damaged: copy or export it again"
"""What to do about a file that lacks something."""


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
"""Where tifffile cannot read one of these, it takes the standard's default: pixels of another kind."""

_TAG_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TAG_TYPE_BYTES |= {16: 8, 17: 8, 18: 8}


def check_page_chain(path: Path, tif: tifffile.TiffFile) -> None:
    """Follow the chain of pages to its end, which tifffile silently cuts where it breaks.

    Raises:
        UnreadableImageError: if a page or a tag that decides about its pixels lies beyond the end of
            the file, or if the chain is a ring.
    """
    if tif.is_ndpi:  # has offsets of its own kind
        return
    form, stream, size = tif.tiff, tif.filehandle, tif.filehandle.size
    at, seen = tif.pages.first.offset, set[int]()
    while at:
        if at in seen:
            raise UnreadableImageError(path, f"page {len(seen)} points back to an earlier one", AGAIN)
        broken = _broken_tag(form, stream, at, size)
        if broken:
            raise UnreadableImageError(path, f"{broken} of page {len(seen)} cannot be read", AGAIN)
        seen.add(at)
        at = _next_page(form, stream, at, size)
        if at < 0:
            raise UnreadableImageError(path, f"it ends before its page {len(seen)}", AGAIN)


def _next_page(form: tifffile.TiffFormat, stream: tifffile.FileHandle, at: int, size: int) -> int:
    if at + form.tagnosize > size:
        return -1
    stream.seek(at)
    (tags,) = struct.unpack(form.tagnoformat, stream.read(form.tagnosize))
    after = at + form.tagnosize + tags * form.tagsize
    if after + form.offsetsize > size:
        # Some writers leave out the final 0; then this is the last page and the file ends with its tags.
        return 0 if after == size else -1
    stream.seek(after)
    (following,) = struct.unpack(form.offsetformat, stream.read(form.offsetsize))
    return int(following) if following < size else -1


def _broken_tag(form: tifffile.TiffFormat, stream: tifffile.FileHandle, at: int, size: int) -> str:
    stream.seek(at)
    count = stream.read(form.tagnosize)
    tags = struct.unpack(form.tagnoformat, count)[0] if len(count) == form.tagnosize else 0
    table = stream.read(min(tags * form.tagsize, size))
    for start in range(0, len(table) - form.tagsize + 1, form.tagsize):
        # A tag: code, type (2 bytes each), number of values, then the values or where they lie.
        code, kind = struct.unpack_from(form.tagformat1, table, start)
        if code not in _DECISIVE_TAGS:
            continue
        n_values, _ = struct.unpack_from(form.tagformat2, table, start + 4)
        n_bytes = n_values * _TAG_TYPE_BYTES.get(kind, 0)
        where = struct.unpack_from(form.offsetformat, table, start + form.tagsize - form.offsetsize)[0]
        if not n_bytes or (n_bytes > form.tagoffsetthreshold and where + n_bytes > size):
            return _DECISIVE_TAGS[code]
    return ""


def check_size(path: Path, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Refuse an image that the file cannot hold, before memory is taken for it.

    Raises:
        UnreadableImageError: if uncompressed pixels need more bytes than there are, or compressed ones
            more than their compression can stand for.
    """
    page = series.keyframe
    files = {id(p.parent): p.parent.filehandle.size for p in series.pages if p is not None}
    held = sum(files.values()) or tif.filehandle.size
    if page.compression == _NONE:
        planes = series.size // max(1, page.imagewidth * page.imagelength)  # of all pages and samples
        in_row = 1 if page.planarconfig == _SEPARATE else page.samplesperpixel
        row = (page.imagewidth * in_row * page.bitspersample + 7) // 8  # padded to a byte
        needed = row * page.imagelength * planes // in_row
        if needed > held:
            raise UnreadableImageError(path, f"its pixels need {needed} bytes and the file has {held}", AGAIN)
        ratio = 8.0  # a byte of 1-bit pixels becomes eight
    else:
        ratio = _LARGEST_RATIO.get(int(page.compression), _LARGEST_OTHER_RATIO)
    check_plausible_size(path, series.nbytes, largest_ratio=ratio, file_bytes=held)


def check_segments(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Refuse an image of which pages, strips or tiles are missing, which tifffile reads as zeros.

    A sparse file of the GDAL library is the exception: there, missing means empty.

    Raises:
        UnreadableImageError: with the number of what is missing, and the place of the first.
    """
    if series.dataoffset is not None:  # one run of bytes; check_size compared it with the file
        end = series.dataoffset + series.nbytes
        if end > series.keyframe.parent.filehandle.size:
            raise UnreadableImageError(path, f"it ends before byte {end}, its last pixel", AGAIN)
        return
    pages = [page for page in series.pages if page is not None]
    missing = len(series.pages) - len(pages)
    if missing:
        raise UnreadableImageError(
            path, f"{missing} of its {len(series.pages)} pages are missing", "copy all files of the set again"
        )
    for number, page in enumerate(pages):
        keyframe, size = series.keyframe, page.parent.filehandle.size
        counts, offsets = page.databytecounts, page.dataoffsets
        absent = [n for n, (count, offset) in enumerate(zip(counts, offsets, strict=False)) if not (count and offset)]
        n_absent = len(absent) + abs(len(counts) - len(offsets))
        kind = "tiles" if keyframe.is_tiled else "strips"
        if n_absent and not keyframe.is_gdal:
            first = segment_place(keyframe, absent[0] if absent else min(len(counts), len(offsets)))
            raise UnreadableImageError(
                path, f"{n_absent} of {len(offsets)} {kind} of page {number} are missing, the first is {first}", AGAIN
            )
        # The last of uncompressed strips may claim more than it needs; too short ones tifffile refuses.
        compressed = keyframe.compression != _NONE
        for n, (offset, count) in enumerate(zip(offsets, counts, strict=False)):
            if offset * compressed + count > size:
                place = segment_place(keyframe, n)
                raise UnreadableImageError(path, f"it ends within {place} of page {number}", AGAIN)


def segment_place(page: tifffile.TiffPage, index: int) -> str:
    """Return in words which tile or strip of a page that is, and where in the image it lies."""
    rows = page.tilelength if page.is_tiled else page.rowsperstrip
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    across, down = -(-page.imagewidth // columns), -(-page.imagelength // rows)
    row, column = index // across % down * rows, index % across * columns
    where = f"rows {row} to {min(row + rows, page.imagelength) - 1}"
    if across > 1:
        where += f", columns {column} to {min(column + columns, page.imagewidth) - 1}"
    return f"{'tile' if page.is_tiled else 'strip'} {index} ({where})"


def check_old_jpeg(path: Path, page: tifffile.TiffPage) -> None:
    """Refuse old-style JPEG whose tables lie beyond the end of the file; libtiff only warns.

    Raises:
        UnreadableImageError: if so.
    """
    stream = page.parent.filehandle
    ends = [0]
    for code in (519, 520, 521):  # quantisation, DC and AC tables: an offset a component
        offsets = page.tags.valueof(code) or ()
        for offset in offsets if isinstance(offsets, tuple) else (offsets,):
            stream.seek(offset)
            # A Huffman table is 16 counts, then as many values; a quantisation table 64 values.
            ends.append(offset + (64 if code == 519 else 16 + sum(stream.read(16))))
    if max(ends) > stream.size:
        raise UnreadableImageError(path, "it ends within its JPEG tables", AGAIN)
