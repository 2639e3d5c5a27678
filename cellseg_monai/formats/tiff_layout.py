"""Check that the header of a TIFF page agrees with its tiles or strips, before any of them is read.

tifffile cuts or pads whatever does not agree: with fewer strips than the image needs, it returns zeros or unset memory,
and with more of them only a part of the image. The check is the same for whole images and for windows.
"""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.tiff_checks import COPY_AGAIN, segment_place
from cellseg_monai.formats.tiff_files import open_file

__all__ = ["check_layout"]

_SEPARATE = 2  # samples are stored in separate planes
_UNCOMPRESSED, _LZW, _LZMA = 1, 5, 34925
_CUTTING = {_LZW, _LZMA}  # decompressors that stop at the expected size; all others refuse a segment that holds more
_HEADER_BYTES = 8  # of the file, which hold no pixels
_LOW_BIT_FIRST = 2
_JPEG_KINDS = {7, 33007, 34892}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # types of tags
_MOST_VALUES = 1024  # of a tag that are compared
_LAYOUT_TAGS = {
    256: "ImageWidth",
    257: "ImageLength",
    258: "BitsPerSample",
    259: "Compression",
    266: "FillOrder",
    277: "SamplesPerPixel",
    278: "RowsPerStrip",
    284: "PlanarConfiguration",
    317: "Predictor",
    322: "TileWidth",
    323: "TileLength",
    339: "SampleFormat",
}
"""Tags that must be the same in all pages of a series, because tifffile reads them only from the first page."""
_DEFAULTS: dict[int, tuple[int, ...]] = dict.fromkeys((258, 259, 266, 277, 284, 317, 339), (1,))


def check_layout(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Refuse an image whose header contradicts its tiles or strips, after `check_segments`.

    Raises:
        UnreadableImageError: the number or size of the tiles or strips differs from what the header declares, or a page
            has another layout than the first one.
    """
    key = series.keyframe
    if key.jpegheader is not None:  # Hamamatsu, whose pages are one JPEG each
        return
    _check_header(path, key)
    expected = _layout(key) if key.offset > 0 else {}  # virtual pages have no header
    for number, page in enumerate(series.pages):
        if page is None:
            continue  # reported by `check_segments`
        _check_grid(path, key, page, number)
        if expected and page is not key and page.offset > 0:
            _check_same_layout(path, expected, page, number)
    _check_decoded_size(path, key)


def _check_header(path: Path, key: tifffile.TiffPage) -> None:
    """Refuse values that no TIFF can have, or that contradict each other."""
    tags = key.tags
    if int(key.planarconfig) not in (1, _SEPARATE):
        raise UnreadableImageError(
            path, f"its PlanarConfiguration is {int(key.planarconfig)}, expected 1 or 2", COPY_AGAIN
        )
    bits = tags.get(258)
    if key.samplesperpixel < 1 or (bits is not None and 1 < bits.count < key.samplesperpixel):
        count = bits.count if bits is not None else 0
        raise UnreadableImageError(
            path, f"its header states {key.samplesperpixel} samples per pixel, but the bits of {count}", COPY_AGAIN
        )
    lengths = (key.tilewidth, key.tilelength, key.tiledepth) if key.is_tiled else (key.rowsperstrip,)
    if 0 in key.shaped or min(lengths) < 1:
        raise UnreadableImageError(path, "its header states an image, tile or strip without pixels", COPY_AGAIN)
    for codes in ((324, 273), (325, 279)):  # tifffile has already dropped those that are too many
        tag = next((tags[code] for code in codes if code in tags), None)
        if tag is not None and tag.count != _n_segments(key):
            _refuse_number(path, key, tag.count, 0)


def _n_segments(key: tifffile.TiffPage) -> int:
    """Return the number of tiles or strips that a page needs."""
    return math.prod(key.chunked)


def _refuse_number(path: Path, key: tifffile.TiffPage, found: int, number: int) -> None:
    kind = "tiles" if key.is_tiled else "strips"
    size = f"{key.imagelength} × {key.imagewidth}"
    raise UnreadableImageError(
        path, f"page {number} of {size} pixels needs {_n_segments(key)} {kind}, but has {found}", COPY_AGAIN
    )


def _check_grid(path: Path, key: tifffile.TiffPage, page: tifffile.TiffPage | tifffile.TiffFrame, number: int) -> None:
    """Refuse a page whose tiles or strips are too few or too many, lie in the header, or have another size."""
    offsets, counts = page.dataoffsets, page.databytecounts
    for found in (len(offsets), len(counts)):
        if found != _n_segments(key):
            _refuse_number(path, key, found, number)
    place = np.asarray(offsets, np.uint64)
    is_sparse = key.is_gdal and len(offsets) > 1
    is_wrong = (place < _HEADER_BYTES) & ~(is_sparse & (place == 0))
    if is_wrong.any():
        first = int(np.argmax(is_wrong))
        what = f"{segment_place(key, first)} of page {number}"
        raise UnreadableImageError(path, f"missing {what}: it would begin at byte {offsets[first]}", COPY_AGAIN)
    if key.compression == _UNCOMPRESSED and not key.is_subsampled:
        _check_bytes(path, key, counts, place > 0, number)
    # tifffile reads all strips of such a page from the first one on.
    is_read_as_one = key.is_contiguous and not (key.is_lsm or key.is_stk)
    if is_read_as_one and any(o + c != end for o, c, end in zip(offsets, counts, offsets[1:], strict=False)):
        raise UnreadableImageError(path, f"the strips of page {number} do not follow each other", COPY_AGAIN)


def _check_bytes(
    path: Path, key: tifffile.TiffPage, counts: tuple[int, ...], is_there: np.ndarray, number: int
) -> None:
    """Refuse uncompressed tiles or strips that hold more or fewer bytes than they need."""
    for index, (count, there) in enumerate(zip(counts, is_there.tolist(), strict=True)):
        needed = _segment_bytes(key, index)
        if there and count != needed:
            place = segment_place(key, index)
            raise UnreadableImageError(
                path, f"{place} of page {number} needs {needed} bytes, but has {count}", COPY_AGAIN
            )


def _segment_bytes(key: tifffile.TiffPage, index: int) -> int:
    """Return the number of bytes of a decompressed tile or strip."""
    bits = key.bitspersample
    samples = key.samplesperpixel if key.planarconfig != _SEPARATE else 1
    bits_in_pixel = bits * samples if isinstance(bits, int) else sum(bits)
    if key.is_tiled:
        return (key.tilewidth * bits_in_pixel + 7) // 8 * key.tilelength * key.tiledepth
    strip = index % math.ceil(key.imagelength / key.rowsperstrip)
    rows = min(key.rowsperstrip, key.imagelength - strip * key.rowsperstrip)
    return (key.imagewidth * bits_in_pixel + 7) // 8 * rows


def _check_same_layout(
    path: Path, expected: dict[str, object], page: tifffile.TiffPage | tifffile.TiffFrame, number: int
) -> None:
    """Refuse a page whose own header states another layout than the page whose header is used for all."""
    found = _layout(page)
    differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        raise UnreadableImageError(
            path, f"{' and '.join(differing)} of page {number} differ from those of the first page", COPY_AGAIN
        )


def _layout(page: tifffile.TiffPage | tifffile.TiffFrame) -> dict[str, object]:
    """Return what the header of a page itself states about its layout, by the name of the tag."""
    layout = page.parent.tiff
    if layout.is_ndpi:  # its tags have a format of their own
        return {}
    with open_file(page) as file:
        file.seek(page.offset)
        (n_tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
        table = file.read(n_tags * layout.tagsize)
        values = dict(_DEFAULTS)
        for start in range(0, len(table) - layout.tagsize + 1, layout.tagsize):
            code, kind = struct.unpack_from(layout.tagformat1, table, start)
            if code in _LAYOUT_TAGS and kind in _INTEGERS:
                values[code] = _tag_values(file, layout, table[start : start + layout.tagsize], _INTEGERS[kind])
    rows, length = values.get(278), values.get(257)
    if rows and length:
        values[278] = (min(rows[0], length[0]),)
    stated: dict[str, object] = {name: values.get(code) for code, name in _LAYOUT_TAGS.items()}
    return {"the byte order": layout.byteorder, **stated}


def _tag_values(file: tifffile.FileHandle, layout: tifffile.TiffFormat, tag: bytes, kind: str) -> tuple[int, ...]:
    """Return the values of a tag, once if they are all the same."""
    count, _ = struct.unpack_from(layout.tagformat2, tag, 4)
    count = min(count, _MOST_VALUES)
    kinds = f"{layout.byteorder}{count}{kind}"
    held = tag[-layout.offsetsize :]
    if struct.calcsize(kinds) > layout.tagoffsetthreshold:
        file.seek(struct.unpack(layout.offsetformat, held)[0])
        held = file.read(struct.calcsize(kinds))
    if len(held) < struct.calcsize(kinds):
        return ()
    found = struct.unpack_from(kinds, held)
    return found[:1] if len(set(found)) == 1 else found


def _check_decoded_size(path: Path, key: tifffile.TiffPage) -> None:
    """Refuse compressed tiles or strips that hold more than the image needs, if tifffile would cut the surplus off."""
    last = _n_segments(key) - 1
    if key.compression in _CUTTING:
        for index in sorted({0, last}):
            needed = _segment_bytes(key, index)
            if len(_decompressed(key, index, needed + 1)) > needed:
                _refuse_surplus(path, key, index)
    elif key.compression in tifffile.TIFF.IMAGE_COMPRESSIONS and not key.is_tiled:
        rows = key.imagelength - (last % math.ceil(key.imagelength / key.rowsperstrip)) * key.rowsperstrip
        # libtiff knows files whose last strip is as high as the others.
        allowed = {rows, key.rowsperstrip} if last else {rows}
        height = _picture_rows(_encoded(key, last), int(key.compression))
        if height is not None and height not in allowed and height > rows:
            _refuse_surplus(path, key, last)


def _refuse_surplus(path: Path, key: tifffile.TiffPage, index: int) -> None:
    place = segment_place(key, index)
    raise UnreadableImageError(path, f"{place} holds more pixels than the header declares", COPY_AGAIN)


def _encoded(key: tifffile.TiffPage, index: int) -> bytes:
    with open_file(key) as file:
        file.seek(key.dataoffsets[index])
        data: bytes = file.read(key.databytecounts[index])
    return data


def _decompressed(key: tifffile.TiffPage, index: int, most_bytes: int) -> bytes:
    """Return a decompressed tile or strip; nothing if it is missing or damaged, as reading it will report."""
    if not key.dataoffsets[index]:
        return b""
    data = _encoded(key, index)
    with suppress(Exception):
        if key.fillorder == _LOW_BIT_FIRST:
            import imagecodecs  # slow to import, rarely needed

            data = bytes(imagecodecs.bitorder_decode(data))
        decoded: bytes = tifffile.TIFF.DECOMPRESSORS[key.compression](data, out=most_bytes)
        return decoded
    return b""


def _picture_rows(data: bytes, compression: int) -> int | None:
    """Return the number of rows of an encoded picture, or None if it cannot be found out."""
    if compression in _JPEG_KINDS:
        return _jpeg_rows(data)
    with suppress(Exception):
        return int(tifffile.TIFF.DECOMPRESSORS[compression](data).shape[0])
    return None


def _jpeg_rows(data: bytes) -> int | None:
    """Return the number of rows according to the frame header of a JPEG, or None if it has none."""
    start = 2
    while start + 9 < len(data) and data[start] == 0xFF:
        marker = data[start + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[start + 5 : start + 7], "big")
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return None
