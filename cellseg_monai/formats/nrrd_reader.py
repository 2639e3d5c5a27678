"""Read NRRD files: `.nrrd`, or `.nhdr` with a separate data file."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import UNSTATED, settle_axes
from cellseg_monai.formats.colour_names import RGB, RGBA
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.sizes import NO_SIZES, Sizes, Stated
from cellseg_monai.formats.stored import Stored
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

_NAMES = (
    (("signed char", "int8", "int8_t"), "i1"),
    (("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    (("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    (("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    (("int", "signed int", "int32", "int32_t"), "i4"),
    (("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    (("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"), "i8"),
    (("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    (("float",), "f4"),
    (("double",), "f8"),
)
_TYPES = {name: kind for names, kind in _NAMES for name in names}
_ENCODINGS = {
    **dict.fromkeys(("raw",), "raw"),
    **dict.fromkeys(("txt", "text", "ascii"), "text"),
    **dict.fromkeys(("hex",), "hex"),
    **dict.fromkeys(("gz", "gzip"), "gzip"),
    **dict.fromkeys(("bz2", "bzip2"), "bzip2"),
}
_FIELDS = {
    "axismaxs", "axismins", "blocksize", "byteskip", "centerings", "centers", "content", "datafile", "dimension",
    "encoding", "endian", "kinds", "labels", "lineskip", "max", "measurementframe", "min", "number", "oldmax", "oldmin",
    "sampleunits", "sizes", "space", "spacedimension", "spacedirections", "spaceorigin", "spaceunits", "spacings",
    "thicknesses", "type", "units",
}  # fmt: skip
_VERSION = re.compile(r"NRRD(?:000[1-5]|00\.01)")
_DOMAINS = ("domain", "space", "time", "???", "none")
_DEPTHS = ("domain", "space", "???", "none")
_VECTORS = ("list", "point", "vector", "covariant-vector", "normal")  # of any length
_LENGTHS = {
    "stub": 1, "scalar": 1, "complex": 2, "2-vector": 2, "3-color": 3, "rgb-color": 3, "hsv-color": 3, "xyz-color": 3,
    "4-color": 4, "rgba-color": 4, "3-vector": 3, "3-gradient": 3, "3-normal": 3, "4-vector": 4, "quaternion": 4,
    "2d-symmetric-matrix": 3, "2d-matrix": 4, "3d-symmetric-matrix": 6, "3d-matrix": 9,
}  # fmt: skip
_COLOURS = {"3-color": RGB, "rgb-color": RGB, "4-color": RGBA, "rgba-color": RGBA}


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open a file, with the axes (Z,) Y, X (, samples); uncompressed pixels stay on disk.

    The third axis is depth, unless the file declares another kind of axis. A spacing counts only if the file names the
    unit, because 0.3 could be mm or µm.

    Args:
        path: file to open.
        axes: axes according to the user, or None.
        indices: ignored, because the format has no palettes.

    Raises:
        UnreadableImageError: the file is damaged, its data file is not in its folder, or its axes are not stated.
    """
    with decoding(path):
        fields, end = _header(path)
        n_axes = n_dimensions(path, "dimension", fields.get("dimension", ""))
        sizes = whole_numbers(path, "sizes", fields.get("sizes", ""), n_axes)
        kinds = [kind.lower() for kind in _words(path, fields, "kinds", n_axes) or ["???"] * n_axes]
        samples = _sample_axis(path, kinds, sizes)
        spatial = [axis for axis in range(n_axes) if axis != samples]
        array = _samples_last(_data(path, fields, end, sizes).array(), samples, n_axes)
        in_plane, found = [kinds[axis] for axis in spatial[:2]], _sizes(path, fields, n_axes, spatial)
        stated = spatial_axes(len(spatial), third_is_depth=len(spatial) < 3 or kinds[spatial[2]] in _DEPTHS)
        if "time" in in_plane:  # which are then not X and Y
            stated, found = UNSTATED[0] * len(spatial), NO_SIZES
        stated += "S" * (len(array.shape) > len(spatial))
        names = () if samples is None else _COLOURS.get(kinds[samples], ())
        settled = settle_axes(path, tuple(array.shape), stated, axes)
        stored = Stored(array, settled, names, found, stated)
    yield stored


def files_of(path: Path) -> set[Path]:
    """Return a file and, if its pixels are in another file, that file.

    Raises:
        UnreadableImageError: the header is damaged, or its data file is missing or not in its folder.
    """
    with decoding(path):
        fields, _ = _header(path)
        return {path, data_beside(path, fields["datafile"])} if "datafile" in fields else {path}


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of the header, and the position at which it ends."""
    with path.open("rb") as stream:
        return _fields(path, header_lines(path, stream, _ends_header)), stream.tell()


def _ends_header(line: str) -> bool:
    """Return True for the empty line before the pixels, and for the line before a list of several data files."""
    return not line or re.match(r"data ?file: *list", line, re.IGNORECASE) is not None


def _fields(path: Path, lines: list[str]) -> dict[str, str]:
    """Return the fields in a header, keyed by lower-case names without spaces, after checking that they are valid.

    Raises:
        UnreadableImageError: the header has an unsupported version; a line is not a field, a comment or a key with a
            value; a field is unknown or repeated; or the file ends within the header.
    """
    if not lines or not _VERSION.fullmatch(lines[0]):
        raise UnreadableImageError(
            path, f"its first line is {''.join(lines[:1])[:80]!r}, expected NRRD0001 to NRRD0005", "save it as NRRD0005"
        )
    fields: dict[str, str] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line or line.startswith("#") or re.match(r"[^:]*:=", line):
            continue
        name, mark, value = line.partition(": ")
        key = name.lower().replace(" ", "")
        if not mark or key not in _FIELDS:
            damaged(path, f"line {number} of its header is {line[:40]!r}, expected an NRRD field")
        if key in fields:
            damaged(path, f"its header states {name!r} twice")
        fields[key] = value.strip()
    if lines[-1] and "datafile" not in fields:
        damaged(path, "the file ends within its header")
    return fields


def _words(path: Path, fields: dict[str, str], key: str, count: int) -> list[str]:
    """Return the words in a field, one per axis, or an empty list if the file lacks the field."""
    words = fields.get(key, "").split()
    if words and len(words) != count:
        damaged(path, f"its header states {len(words)} {key}, expected {count}")
    return words


def _sample_axis(path: Path, kinds: list[str], sizes: tuple[int, ...]) -> int | None:
    """Return the number of the axis that holds the samples of a pixel, or None if there is no such axis."""
    for kind, size in zip(kinds, sizes, strict=True):
        if kind not in (*_DOMAINS, *_VECTORS) and _LENGTHS.get(kind) is None:
            raise UnreadableImageError(path, f"axes of kind {kind[:80]!r} are not supported", "save it as TIFF")
        if kind in _LENGTHS and _LENGTHS[kind] != size:
            damaged(path, f"its header states {size} values for an axis of kind {kind!r}, which has {_LENGTHS[kind]}")
    found = [axis for axis, kind in enumerate(kinds) if kind not in _DOMAINS]
    if len(found) > 1 or len(kinds) - len(found) < 2:
        raise UnreadableImageError(
            path,
            f"its axes have the kinds {' '.join(kinds)}, which are not supported together",
            "save it as TIFF, with Y and X and one axis of samples",
        )
    return found[0] if found else None


def _samples_last(array: SlicedArray, samples: int | None, n_axes: int) -> SlicedArray:
    """Return an array with the axis of samples last, or without that axis if there is only one sample."""
    if samples is None or (samples == 0 and array.shape[-1] > 1):
        return array
    whole = np.moveaxis(array[(slice(None),) * n_axes], n_axes - 1 - samples, -1)
    return whole[..., 0] if whole.shape[-1] == 1 else whole


def _data(path: Path, fields: dict[str, str], end: int, sizes: tuple[int, ...]) -> VolumeData:
    """Return the location and type of the pixels; `end` is the position at which the header ends."""
    kind, encoding = (fields.get(key, "").lower() for key in ("type", "encoding"))
    if kind not in _TYPES or encoding not in _ENCODINGS:
        raise UnreadableImageError(
            path, f"pixels of type {kind[:80]!r} with encoding {encoding[:80]!r} are not supported", "save it as TIFF"
        )
    encoding, dtype = _ENCODINGS[encoding], np.dtype(_TYPES[kind])
    if dtype.itemsize > 1 and encoding != "text":
        endian = fields.get("endian", "").lower()
        if endian not in ("little", "big"):
            damaged(path, f"its header states the byte order {endian[:80]!r}, expected 'little' or 'big'")
        dtype = dtype.newbyteorder("<" if endian == "little" else ">")
    file, start = (data_beside(path, fields["datafile"]), 0) if "datafile" in fields else (path, end)
    lines = _skip(path, fields, "lineskip")
    with file.open("rb") as stream:
        stream.seek(start)
        for _ in range(lines):
            if not stream.readline():
                damaged(path, f"the file ends before its pixels, which should follow after {lines} lines")
        start = stream.tell()
    shape = tuple(reversed(sizes))
    if fields.get("byteskip") == "-1" and encoding == "raw":
        start = max(start, file.stat().st_size - math.prod(shape) * dtype.itemsize)
        return VolumeData(path, file, start, shape, dtype)
    return VolumeData(path, file, start, shape, dtype, encoding, _skip(path, fields, "byteskip"))


def _skip(path: Path, fields: dict[str, str], key: str) -> int:
    text = fields.get(key, "0")
    return 0 if text == "0" else whole_numbers(path, key, text, 1)[0]


def _sizes(path: Path, fields: dict[str, str], n_axes: int, spatial: list[int]) -> Sizes:
    spacings = [measure(path, "spacings", word) for word in _words(path, fields, "spacings", n_axes)]
    units: list[str] = shlex.split(fields.get("units", ""))
    if units and len(units) != n_axes:
        damaged(path, f"its header states {len(units)} units, expected {n_axes}")
    if "spacedirections" in fields:
        if units:
            damaged(path, "its header states both units and space directions, but only one of these is allowed")
        spacings = [math.hypot(*vector) for vector in _directions(path, fields["spacedirections"], n_axes)]
        in_space = set(shlex.split(fields.get("spaceunits", "")))
        units = [in_space.pop() if len(in_space) == 1 else ""] * n_axes
    if not (spacings or units):
        return NO_SIZES
    units, spacings = units or [""] * n_axes, spacings or [math.nan] * n_axes
    return stated_sizes([_stated(spacings[axis], units[axis]) for axis in spatial[:3]])


def _stated(spacing: float, unit: str) -> Stated:
    if math.isnan(spacing):  # the format's word for an unknown spacing
        return Stated(UNKNOWN_LENGTH, unit) if unit else Stated()
    return Stated(spacing, unit)


def _directions(path: Path, text: str, n_axes: int) -> list[list[float]]:
    """Return the vector along each axis, which is empty for an axis outside space."""
    vectors = re.findall(r"\([^()]*\)|none", text.replace(" ", ""), re.IGNORECASE)
    if len(vectors) != n_axes:
        damaged(path, f"its header states {len(vectors)} space directions, expected {n_axes}")
    return [
        [measure(path, "space directions", number) for number in vector[1:-1].split(",")] if vector[0] == "(" else []
        for vector in vectors
    ]
