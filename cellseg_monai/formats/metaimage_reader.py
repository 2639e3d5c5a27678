"""Read MetaImage files: `.mha`, or `.mhd` with a separate data file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import settle_axes
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.sizes import NO_SIZES, Sizes, Stated
from cellseg_monai.formats.stored import Stored
from cellseg_monai.formats.units import plain_number
from cellseg_monai.formats.volume_data import (
    UNKNOWN_LENGTH,
    VolumeData,
    damaged,
    data_beside,
    header_lines,
    measure,
    n_dimensions,
    spatial_axes,
    stated_sizes,
    whole_numbers,
)

__all__ = ["files_of", "opened"]

_DATA_FILE = "ElementDataFile"
_LOCAL = "LOCAL"  # the pixels follow the header
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # 32 bits on every system
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_USED = {
    "ObjectType", "NDims", "DimSize", "ElementType", "ElementNumberOfChannels", "ElementSpacing", "ElementSize",
    "DistanceUnits", "HeaderSize", "BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData",
    "CompressedDataSize", "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset",
}  # fmt: skip


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open a file, with the axes (Z,) Y, X (, samples); uncompressed pixels stay on disk.

    A spacing counts only if the file names the unit, because 0.3 could be mm or µm.

    Args:
        path: file to open.
        axes: axes according to the user, or None.
        indices: ignored, because the format has no palettes.

    Raises:
        UnreadableImageError: the file is damaged, its data file is not in its folder, its axes are not stated, or its
            values would have to be rescaled.
    """
    with decoding(path):
        fields, end = _header(path)
        n_axes = n_dimensions(path, "NDims", fields.get("NDims", ""))
        n_samples = whole_numbers(path, "ElementNumberOfChannels", fields.get("ElementNumberOfChannels", "1"), 1)[0]
        _check_intensities(path, fields)
        array = _data(path, fields, end, n_axes, n_samples).array()
        stated = spatial_axes(n_axes) + "S" * (n_samples > 1)
        settled = settle_axes(path, tuple(array.shape), stated, axes)
        stored = Stored(array, settled, (), _sizes(path, fields, n_axes), stated)
    yield stored


def files_of(path: Path) -> set[Path]:
    """Return a file and, if its pixels are in another file, that file.

    Raises:
        UnreadableImageError: the header is damaged, or its data file is missing or not in its folder.
    """
    with decoding(path):
        name = _header(path)[0][_DATA_FILE]
        return {path} if name.upper() == _LOCAL else {path, data_beside(path, name)}


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of the header, and the position at which it ends."""
    with path.open("rb") as stream:
        fields = _fields(path, header_lines(path, stream, lambda line: _pair(line)[0] == _DATA_FILE))
        return fields, stream.tell()


def _pair(line: str) -> tuple[str, str]:
    """Return the key and the value of a line, divided at the first "=" or ":"."""
    at = min((place for mark in "=:" if (place := line.find(mark)) >= 0), default=len(line))
    return line[:at].strip(), line[at + 1 :].strip()


def _fields(path: Path, lines: list[str]) -> dict[str, str]:
    """Return the fields in a header by name, after checking that they form a valid header.

    Raises:
        UnreadableImageError: a line is not a field, a field is repeated, the last field is missing, or the object is
            not an image.
    """
    fields: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        key, value = _pair(line)
        if line.strip() and (not key or len(key) == len(line.strip())):
            damaged(path, f"line {number} of its header is {line[:40]!r}, expected 'name = value'")
        if key in fields and key in _USED:
            damaged(path, f"its header states {key} twice")
        fields[key] = value
    if not fields.get(_DATA_FILE):
        damaged(path, f"its header ends without {_DATA_FILE}")
    if fields.get("ObjectType", "Image") != "Image":
        damaged(path, f"it holds an object of type {fields['ObjectType'][:80]!r}, expected 'Image'")
    return fields


def _data(path: Path, fields: dict[str, str], end: int, n_axes: int, n_samples: int) -> VolumeData:
    """Return the location and type of the pixels; `end` is the position at which the header ends."""
    sizes = whole_numbers(path, "DimSize", fields.get("DimSize", ""), n_axes)
    kind = fields.get("ElementType", "")
    if kind not in _TYPES:
        damaged(path, f"its header states ElementType {kind[:80]!r}, expected a type like 'MET_USHORT'")
    is_big = _boolean(path, fields, "BinaryDataByteOrderMSB") or _boolean(path, fields, "ElementByteOrderMSB")
    dtype = np.dtype((">" if is_big else "<") + _TYPES[kind])
    shape = (*reversed(sizes), *([n_samples] if n_samples > 1 else []))
    name = fields[_DATA_FILE]
    is_local = name.upper() == _LOCAL
    file, first = (path, end) if is_local else (data_beside(path, name), 0)
    is_compressed = _boolean(path, fields, "CompressedData")
    encoding = "zlib" if is_compressed else "raw" if _boolean(path, fields, "BinaryData", default=True) else "text"
    start = first
    skipped = fields.get("HeaderSize", "0")
    if skipped == "-1" and encoding == "raw":
        start = file.stat().st_size - VolumeData(path, file, 0, shape, dtype).n_bytes
    elif skipped != "0":
        (start,) = whole_numbers(path, "HeaderSize", skipped, 1)
    if start < first:
        damaged(path, f"its pixels would start at byte {start}, within its header of {first} bytes")
    if is_compressed and fields.get("CompressedDataSize", "0") != "0":
        (stated,) = whole_numbers(path, "CompressedDataSize", fields["CompressedDataSize"], 1)
        held = file.stat().st_size - start
        if stated != held:
            damaged(path, f"its header declares {stated} bytes of compressed pixels, but the file holds {held}")
    return VolumeData(path, file, start, shape, dtype, encoding)


def _check_intensities(path: Path, fields: dict[str, str]) -> None:
    """Refuse values that would have to be rescaled.

    Raises:
        UnreadableImageError: the message gives the slope and the offset.
    """
    slope = fields.get("ElementToIntensityFunctionSlope") or "1"
    offset = fields.get("ElementToIntensityFunctionOffset") or "0"
    if (plain_number(slope), plain_number(offset)) != (1, 0):
        raise UnreadableImageError(
            path,
            f"its values have intensity slope {slope[:40]!r} and offset {offset[:40]!r}, which are not supported",
            "save the rescaled values, with slope 1 and offset 0",
        )


def _boolean(path: Path, fields: dict[str, str], key: str, *, default: bool = False) -> bool:
    text = fields.get(key)
    if text is not None and text.lower() not in _BOOLEANS:
        damaged(path, f"its header states {key} {text[:80]!r}, expected True or False")
    return default if text is None else _BOOLEANS[text.lower()]


def _sizes(path: Path, fields: dict[str, str], n_axes: int) -> Sizes:
    unit = fields.get("DistanceUnits")
    key = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    if key not in fields:
        return stated_sizes([Stated(UNKNOWN_LENGTH, unit)] * min(3, n_axes)) if unit else NO_SIZES
    words = fields[key].split()
    if len(words) != n_axes:
        damaged(path, f"its header states {len(words)} numbers as {key}, expected {n_axes}")
    return stated_sizes([Stated(measure(path, key, word), unit) for word in words[:3]])
