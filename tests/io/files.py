"""Write files byte by byte, in variants of formats that no installed library writes."""

import json
import struct
import zlib
from pathlib import Path

import numcodecs
import numpy as np
import tifffile
import zarr

_METAIMAGE = {
    "u1": "UCHAR",
    "i1": "CHAR",
    "u2": "USHORT",
    "i2": "SHORT",
    "u4": "UINT",
    "i4": "INT",
    "u8": "ULONG_LONG",
    "i8": "LONG_LONG",
    "f4": "FLOAT",
    "f8": "DOUBLE",
}
_NRRD = {"f4": "float", "f8": "double"}


def write_metaimage(path: Path, array: np.ndarray, *, vector: bool = False, extra: str = "") -> None:
    """Write an array of (Z,) Y, X (, samples); with `vector` the last axis is samples."""
    sizes = array.shape[:-1] if vector else array.shape
    lines = [
        "ObjectType = Image",
        f"NDims = {len(sizes)}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        *extra.splitlines(),
        f"DimSize = {' '.join(map(str, reversed(sizes)))}",
        *([f"ElementNumberOfChannels = {array.shape[-1]}"] if vector else []),
        f"ElementType = MET_{_METAIMAGE[array.dtype.str[1:]]}",
        "ElementDataFile = LOCAL\n",
    ]
    path.write_bytes("\n".join(lines).encode() + np.ascontiguousarray(array).tobytes())


def write_nrrd(path: Path, array: np.ndarray, *, kinds: str = "", extra: str = "") -> None:
    """Write an array; `kinds` names its axes from the last to the first, as NRRD does."""
    lines = [
        "NRRD0004",
        f"type: {_NRRD.get(array.dtype.str[1:], array.dtype.name)}",
        f"dimension: {array.ndim}",
        f"sizes: {' '.join(map(str, reversed(array.shape)))}",
        *([f"kinds: {kinds}"] if kinds else []),
        *extra.splitlines(),
        "encoding: raw",
        "endian: little\n\n",
    ]
    path.write_bytes("\n".join(lines).encode() + np.ascontiguousarray(array).tobytes())


def write_dicom(
    path: Path,
    array: np.ndarray,
    *,
    photometric: str = "MONOCHROME2",
    spacing_mm: str = "",
    rescale: str = "",
    extra: dict[int, tuple[str, str | int | bytes]] | None = None,
    pixels: bytes | None = None,
    syntax: str = "1.2.840.10008.1.2.1",
) -> None:
    """Write (frames,) Y, X as an explicit little-endian DICOM; with `rescale`, "slope intercept", as a CT.

    `extra` holds further elements, or others, by tag; `pixels` the bytes of the pixels. If `syntax` is a compression,
    `pixels` are the items that follow each other.
    """
    bits = array.dtype.itemsize * 8
    capture = "1.2.840.10008.5.1.4.1.1.2" if rescale else "1.2.840.10008.5.1.4.1.1.7"
    meta = _element(2, 0x02, "UI", capture) + _element(2, 0x03, "UI", "1.2.3.4")
    meta += _element(2, 0x10, "UI", syntax)
    elements = {0x80016: ("UI", capture), 0x80018: ("UI", "1.2.3.4"), 0x80060: ("CS", "OT")}
    if spacing_mm:
        elements[0x182010] = ("DS", spacing_mm)
    elements |= {0x280002: ("US", 1), 0x280004: ("CS", photometric)}
    if array.ndim == 3:
        elements[0x280008] = ("IS", str(len(array)))
    numbers = {0x10: array.shape[-2], 0x11: array.shape[-1], 0x100: bits, 0x101: bits, 0x102: bits - 1}
    for element, number in {**numbers, 0x103: int(array.dtype.kind == "i")}.items():
        elements[0x280000 + element] = ("US", number)
    if rescale:
        slope, intercept = rescale.split()
        elements |= {0x281052: ("DS", intercept), 0x281053: ("DS", slope)}
    elements |= extra or {}
    body = b"".join(_element(tag >> 16, tag & 0xFFFF, *elements[tag]) for tag in sorted(elements))
    pixels = array.tobytes() + b"\0" * (array.nbytes % 2) if pixels is None else pixels
    is_native = syntax == "1.2.840.10008.1.2.1"
    body += struct.pack(
        "<HH2sHI", 0x7FE0, 0x10, b"OW" if is_native else b"OB", 0, len(pixels) if is_native else 2**32 - 1
    )
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    path.write_bytes(b"\0" * 128 + b"DICM" + length + meta + body + pixels)


def dicom_items(*items: bytes) -> bytes:
    """Return items, such as pieces of compressed pixels after their table of offsets, and the end of their sequence."""
    heads = (struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) for item in items)
    return b"".join(map(bytes.__add__, heads, items)) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _element(group: int, element: int, kind: str, value: str | int | bytes) -> bytes:
    if isinstance(value, bytes):  # of a kind with a long length
        return struct.pack("<HH2sHI", group, element, kind.encode(), 0, len(value)) + value
    if isinstance(value, int):
        content = struct.pack("<H", value)
    else:
        content = value.encode() + (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", group, element, kind.encode(), len(content)) + content


def write_png(path: Path, rows: bytes, width: int, height: int, *, depth: int, kind: int) -> None:
    """Write a PNG of unfiltered rows; `rows` holds the packed bytes of all rows."""
    stride = len(rows) // height
    raw = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def write_packed_tiff(path: Path, values: np.ndarray, bits: int, **how: object) -> None:
    """Write YX pixels with the given number of bits, each row padded to a byte; not every imagecodecs can pack them."""
    shifts = np.arange(bits - 1, -1, -1, dtype=np.uint64)
    rows = np.packbits(
        (values[..., np.newaxis].astype(np.uint64) >> shifts & 1).astype(bool).reshape(len(values), -1), 1
    )
    tifffile.imwrite(path, rows, **how)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tags = tif.pages.first.tags
        tags["ImageWidth"].overwrite(values.shape[1])
        tags["BitsPerSample"].overwrite(bits)


def lsm_info(**values: float) -> np.ndarray:
    """Return the structure with which a Zeiss LSM describes itself."""
    info = np.zeros(1, np.dtype([(name, "<" + kind) for name, kind in tifffile.TIFF.CZ_LSMINFO]))
    for name, value in {"MagicNumber": 67127628, "StructureSize": info.nbytes, **values}.items():
        info[name] = value
    return info


def lsm_colours(names: tuple[str, ...]) -> bytes:
    """Return the structure with which a Zeiss LSM names its channels."""
    text = b"".join(struct.pack("<I", len(name) + 1) + name.encode() + b"\0" for name in names)
    colours, head = bytes(4 * len(names)), 24
    sizes = (head + len(colours) + len(text), len(names), len(names), head, head + len(colours), 0)
    return struct.pack("<6I", *sizes) + colours + text


def write_micromanager(path: Path, stack: np.ndarray, **more: float) -> None:
    """Write T, P, Y, X as a Micro-Manager stack: an index, then for each page 162 bytes of tags and its pixels.

    `more` goes into the summary.
    """
    n_times, n_positions, height, width = stack.shape
    summary = json.dumps(
        {"MicroManagerVersion": "2", "Frames": n_times, "Positions": n_positions, "Slices": 1, "Channels": 1, **more}
    ).encode()
    index_offset = 40 + len(summary)
    first = index_offset + 8 + 20 * n_times * n_positions
    page_bytes = 162 + stack[0, 0].nbytes
    places = [(t, p, first + page_bytes * n) for n, (t, p) in enumerate(np.ndindex(n_times, n_positions))]
    content = struct.pack("<2sHI", b"II", 42, first)
    content += struct.pack("<8I", 54773648, index_offset, 483765892, 0, 0, 0, 2355492, len(summary)) + summary
    content += struct.pack("<2I", 3453623, len(places)) + b"".join(
        struct.pack("<5I", 0, 0, t, p, offset) for t, p, offset in places
    )
    for t, p, offset in places:
        numbers = {
            256: width, 257: height, 258: stack.itemsize * 8, 259: 1, 262: 1, 273: offset + 162, 274: 1, 277: 1,
            278: height, 279: stack[t, p].nbytes, 284: 1, 296: 1,
        }  # fmt: skip
        tags = b"".join(struct.pack("<HHII", code, 4, 1, number) for code, number in numbers.items())
        tags += struct.pack("<HHII", 51123, 2, len(summary), 40)  # JSON of the page; the summary is enough
        next_page = offset + page_bytes if offset != places[-1][2] else 0
        page = struct.pack("<H", len(numbers) + 1) + tags + struct.pack("<I", next_page)
        content += page + stack[t, p].tobytes()
    path.write_bytes(content)


def write_zarr_array(path: Path, array: np.ndarray, *, version: int = 2, chunks: tuple[int, ...] | None = None) -> None:
    """Write an array with zarr itself, compressed with Blosc."""
    how = {"shape": array.shape, "dtype": array.dtype, "chunks": chunks or (10,) * array.ndim, "fill_value": 0}
    if version == 3:
        stored = zarr.create_array(str(path), **how, compressors=zarr.codecs.BloscCodec(cname="lz4"))
    else:
        newer = {} if zarr.__version__.startswith("2.") else {"zarr_format": 2}
        codec = numcodecs.Blosc("lz4")
        stored = zarr.create(store=str(path), **how, compressor=codec, dimension_separator="/", **newer)
    stored[...] = array


def write_ome_zarr(
    path: Path,
    *levels: np.ndarray,
    axes: str = "yx",
    version: int = 2,
    scale: tuple[float, ...] = (),
    unit: str = "",
    z_unit: str = "",
    t_unit: str = "",
    channels: tuple[str, ...] = (),
    chunks: tuple[int, ...] | None = None,
) -> None:
    """Write the resolutions of an image as NGFF 0.4 (Zarr 2) or 0.5 (Zarr 3)."""
    types = {"t": "time", "c": "channel"}
    axis_entries = [{"name": name, "type": types.get(name, "space")} for name in axes]
    for axis in axis_entries:
        if of_axis := {"y": unit, "x": unit, "z": z_unit, "t": t_unit}.get(axis["name"], ""):
            axis["unit"] = of_axis
    transforms = [{"type": "scale", "scale": list(scale or [1.0] * len(axes))}]
    datasets = [{"path": str(n), "coordinateTransformations": transforms} for n in range(len(levels))]
    attributes = {"multiscales": [{"version": "0.4", "axes": axis_entries, "datasets": datasets}]}
    if channels:
        attributes["omero"] = {"channels": [{"label": name} for name in channels]}
    write_zarr_group(path, attributes, version=version)
    for n, level in enumerate(levels):
        write_zarr_array(path / str(n), level, version=version, chunks=chunks)


def write_zarr_group(path: Path, attributes: dict, *, version: int = 2) -> None:
    """Write a group with attributes, as NGFF 0.5 if it is of version 3."""
    path.mkdir(parents=True, exist_ok=True)
    if version == 3:
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **attributes}}}
        (path / "zarr.json").write_text(json.dumps(group))
    else:
        (path / ".zgroup").write_text(json.dumps({"zarr_format": 2}))
        (path / ".zattrs").write_text(json.dumps(attributes))
