"""What tifffile lets pass: missing pages and strips that it fills with zeros, sizes that cannot be."""

from __future__ import annotations

import struct
from pathlib import Path

import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.decoding import check_plausible_size

__all__ = ["check_page_chain", "check_segments", "check_size"]

_NONE, _LZW, _PACKBITS = 1, 5, 32773
_DEFLATE = (8, 32946)
_LARGEST_RATIO = {_LZW: 4096.0, _PACKBITS: 128.0, **dict.fromkeys(_DEFLATE, 1032.0)}
_LARGEST_OTHER_RATIO = 20_000.0  # zstd and CCITT shrink an empty image to almost nothing
_AGAIN = "the file is cut off or damaged: copy or export it again"


def check_page_chain(path: Path, tif: tifffile.TiffFile) -> None:
    """Follow the chain of pages to its end, which tifffile silently cuts where it breaks.

    Raises:
        UnreadableImageError: if a page lies beyond the end of the file, or the chain is a ring.
    """
    if tif.is_ndpi:  # has offsets of its own kind
        return
    form, stream, size = tif.tiff, tif.filehandle, tif.filehandle.size
    at, seen = tif.pages.first.offset, set[int]()
    while at:
        if at in seen:
            raise UnreadableImageError(path, f"page {len(seen)} points back to an earlier one", _AGAIN)
        seen.add(at)
        at = _next_page(form, stream, at, size)
        if at < 0:
            raise UnreadableImageError(path, f"it ends before its page {len(seen)}", _AGAIN)


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
        samples = series.size // max(1, page.imagewidth * page.imagelength)
        row = (page.imagewidth * page.bitspersample + 7) // 8
        needed = row * page.imagelength * samples if page.bitspersample >= 8 else 0
        if page.bitspersample >= 8 and page.subsampling in (None, (1, 1)) and needed > held:
            raise UnreadableImageError(path, f"its pixels need {needed} bytes and the file has {held}", _AGAIN)
        ratio = 8.0  # a byte of 1-bit pixels becomes eight
    else:
        ratio = _LARGEST_RATIO.get(int(page.compression), _LARGEST_OTHER_RATIO)
    check_plausible_size(path, series.nbytes, largest_ratio=ratio, file_bytes=held)


def check_segments(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Refuse an image of which pages, strips or tiles are missing, which tifffile reads as zeros.

    A sparse file of the GDAL library is the exception: there, missing means empty.

    Raises:
        UnreadableImageError: with the number of what is missing.
    """
    if series.dataoffset is not None:  # one run of bytes; check_size compared it with the file
        end = series.dataoffset + series.nbytes
        if end > series.keyframe.parent.filehandle.size:
            raise UnreadableImageError(path, f"it ends before byte {end}, its last pixel", _AGAIN)
        return
    pages = [page for page in series.pages if page is not None]
    missing = len(series.pages) - len(pages)
    if missing:
        raise UnreadableImageError(
            path, f"{missing} of its {len(series.pages)} pages are missing", "copy all files of the set again"
        )
    for number, page in enumerate(pages):
        keyframe, size = page.keyframe, page.parent.filehandle.size
        counts, offsets = page.databytecounts, page.dataoffsets
        absent = sum(not (count and offset) for count, offset in zip(counts, offsets, strict=False))
        absent += abs(len(counts) - len(offsets))
        kind = "tiles" if keyframe.is_tiled else "strips"
        if absent and not keyframe.is_gdal:
            raise UnreadableImageError(path, f"{absent} of {len(offsets)} {kind} of page {number} are missing", _AGAIN)
        # Uncompressed strips that are too short are refused by tifffile; their counts may exceed.
        beyond = any(o + c > size for o, c in zip(offsets, counts, strict=False))
        if keyframe.compression != _NONE and beyond:
            raise UnreadableImageError(path, f"it ends within the {kind} of page {number}", _AGAIN)
