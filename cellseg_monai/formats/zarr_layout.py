"""Check the metadata of a Zarr array: what its chunks are, and that only codecs which decode are used.

numcodecs calls whatever codec the metadata names. Some run code (`pickle` in old versions), and others return Python
objects. Only those in this module are used. Each does nothing but decode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import shape_text
from cellseg_monai.formats.decoder_errors import SMALL_BYTES
from cellseg_monai.formats.ngff import ZarrNode

__all__ = ["COMPRESSORS", "ZarrLayout", "layout_of"]

COMPRESSORS = ("blosc", "zlib", "gzip", "bz2", "lzma", "zstd", "lz4")
_CHECKSUMS = {"crc32": 4, "crc32c": 4, "adler32": 4, "fletcher32": 4}  # their lengths in bytes
_ON_VALUES = ("delta", "fixedscaleoffset", "quantize", "bitround", "astype", "packbits")
_OTHERS = ("shuffle", "transpose", "bytes", "endian")
_SHARDING = "sharding_indexed"
_AT_START = ("crc32", "adler32")  # where numcodecs puts a checksum unless told otherwise
_TYPE_SETTINGS = ("dtype", "astype", "encode_dtype", "decode_dtype")
_LARGEST_ITEM = 8
_LARGEST_INDEX = 2**26
_COPY_AGAIN = "it is damaged, so copy the whole folder again"
_AS_PLAIN = "save it again with Blosc, Zstandard or gzip"


@dataclass(frozen=True)
class ZarrLayout:
    """The storage layout of a Zarr array: its chunks, shards and codecs.

    Args:
        shape: shape of the array.
        chunks: shape of a chunk.
        dtype: type of the values.
        shards: shape of a shard, which is one file of several chunks, or None if each chunk is a file.
        compressor: name of the compressor, or None.
        prefix: number of bytes of checksums before the compressed bytes of a chunk.
        suffix: number of bytes of checksums after them.
        is_plain: True if nothing but a compressor changes the size of a chunk.
        index: byte order of the index in a shard ("<" or ">"), the bytes of its checksum, and "start" or "end".
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    shards: tuple[int, ...] | None
    compressor: str | None
    prefix: int
    suffix: int
    is_plain: bool
    index: tuple[str, int, str] = ("<", 0, "end")

    @property
    def files(self) -> tuple[int, ...]:
        """The shape of the part of the array in one file: a shard, or a chunk if there are no shards."""
        return self.shards or self.chunks

    @property
    def n_files(self) -> int:
        """The number of files of an array without missing chunks."""
        return math.prod(-(-n // step) for n, step in zip(self.shape, self.files, strict=True))

    @property
    def chunk_bytes(self) -> int:
        """The size of a decoded chunk."""
        return math.prod(self.chunks) * self.dtype.itemsize

    @property
    def most_bytes(self) -> int:
        """The largest size that a chunk can have before its values are decoded."""
        return self.chunk_bytes if self.is_plain else math.prod(self.chunks) * _LARGEST_ITEM + 64


def layout_of(path: Path, node: ZarrNode) -> ZarrLayout:
    """Return how an array is stored, after checking its metadata.

    Args:
        path: image, named in error messages.
        node: array of the image.

    Raises:
        UnreadableImageError: the metadata are damaged, the values are not real numbers, a codec does more than decode,
            or the chunks are far larger than the array.
    """
    read = _layout_3 if node.version > 2 else _layout_2
    layout = read(path, node.metadata)
    for name, shape in (("chunks", layout.chunks), ("shards", layout.files)):
        if len(shape) != len(layout.shape) or 0 in shape:
            raise UnreadableImageError(
                path, f"its {name} have the shape {shape_text(shape)}, for an array of {shape_text(layout.shape)}",
                _COPY_AGAIN,
            )  # fmt: skip
    array_bytes = math.prod(layout.shape) * layout.dtype.itemsize
    if layout.chunk_bytes > max(SMALL_BYTES, 4 * array_bytes):
        raise UnreadableImageError(
            path,
            f"its chunks have the shape {shape_text(layout.chunks)} ({layout.chunk_bytes / 1e9:.1f} GB), for an array "
            f"of {shape_text(layout.shape)}",
            _COPY_AGAIN,
        )
    if layout.shards and math.prod(layout.shards) // math.prod(layout.chunks) * 16 > _LARGEST_INDEX:
        raise UnreadableImageError(
            path, f"its shards of {shape_text(layout.shards)} hold too many chunks of {shape_text(layout.chunks)}",
            _COPY_AGAIN,
        )  # fmt: skip
    return layout


def _layout_2(path: Path, metadata: dict[str, Any]) -> ZarrLayout:
    shape, chunks = _lengths(metadata["shape"]), _lengths(metadata["chunks"])
    codecs = [*(metadata.get("filters") or ()), *([metadata["compressor"]] if metadata.get("compressor") else [])]
    named = [(codec["id"], codec) for codec in codecs]
    if metadata.get("dimension_separator", ".") not in (".", "/") or metadata.get("order", "C") not in ("C", "F"):
        raise ValueError("its separator or its order is unknown")
    return ZarrLayout(
        shape, chunks, _dtype(path, metadata["dtype"]), None, *_coding(path, named, ("transpose", "bytes", "endian"))
    )


def _layout_3(path: Path, metadata: dict[str, Any]) -> ZarrLayout:
    grid, keys = metadata["chunk_grid"], metadata.get("chunk_key_encoding") or {"name": "v2"}
    separator = (keys.get("configuration") or {}).get("separator", "/")
    if grid["name"] != "regular" or keys["name"] not in ("default", "v2") or separator not in ("/", "."):
        raise UnreadableImageError(path, "its grid or its names of chunks are not supported", "save it again with zarr")
    if metadata.get("storage_transformers"):
        raise UnreadableImageError(path, "its storage transformers are not supported", "save it again with zarr")
    shape, outer = _lengths(metadata["shape"]), _lengths(grid["configuration"]["chunk_shape"])
    dtype, codecs = _dtype(path, metadata["data_type"]), _named(metadata["codecs"])
    if _SHARDING not in [name for name, _ in codecs]:
        return ZarrLayout(shape, outer, dtype, None, *_coding(path, codecs))
    if len(codecs) > 1:
        raise UnreadableImageError(path, "its shards are encoded once more", _AS_PLAIN)
    sharding = codecs[0][1]
    index = _named(sharding.get("index_codecs") or [{"name": "bytes"}])
    if [name for name, _ in index] not in (["bytes"], ["bytes", "crc32c"]):
        raise UnreadableImageError(path, "the index of its shards is encoded in an unknown way", _AS_PLAIN)
    order = ">" if index[0][1].get("endian") == "big" else "<"
    return ZarrLayout(
        shape, _lengths(sharding["chunk_shape"]), dtype, outer, *_coding(path, _named(sharding["codecs"])),
        (order, 4 * (len(index) - 1), str(sharding.get("index_location", "end"))),
    )  # fmt: skip


def _named(codecs: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the settings of each codec of version 3."""
    entries: list[dict[str, Any]] = [{"name": codec} if isinstance(codec, str) else codec for codec in codecs]
    return [(entry["name"].removeprefix("numcodecs."), entry.get("configuration") or {}) for entry in entries]


def _coding(
    path: Path, codecs: list[tuple[str, dict[str, Any]]], without: tuple[str, ...] = ()
) -> tuple[str | None, int, int, bool]:
    """Return the compressor, the bytes of checksums before and after it, and whether the other codecs keep the size."""
    known = {*COMPRESSORS, *_CHECKSUMS, *_ON_VALUES, *_OTHERS} - {*without}
    for name, settings in codecs:
        if name not in known:
            raise UnreadableImageError(
                path, f"its chunks need the codec {str(name)[:80]!r}, which is not allowed", _AS_PLAIN
            )
        for key in _TYPE_SETTINGS:
            if key in settings:
                _dtype(path, settings[key])
    names = [name for name, _ in codecs]
    places = [place for place, name in enumerate(names) if name in COMPRESSORS]
    outside = codecs[places[0] + 1 :] if places else []
    if len(places) > 1 or any(name not in _CHECKSUMS for name, _ in outside):
        raise UnreadableImageError(path, f"its chunks are encoded by {', '.join(names)}", _AS_PLAIN)
    ends = [0, 0]
    for name, settings in outside:
        default = "start" if name in _AT_START else "end"
        ends[settings.get("location", default) == "end"] += _CHECKSUMS[name]
    is_plain = not any(name in (*_ON_VALUES, *_CHECKSUMS) for name in names[: places[0] if places else None])
    return names[places[0]] if places else None, ends[0], ends[1], is_plain


def _dtype(path: Path, name: Any) -> np.dtype:
    try:
        dtype = np.dtype(name) if isinstance(name, str) else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None or dtype.kind not in "buif" or dtype.itemsize > _LARGEST_ITEM:
        raise UnreadableImageError(
            path, f"pixels of type {str(name)[:80]} are not supported", "save real numbers of at most 64 bits"
        )
    return dtype


def _lengths(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int and 0 <= value < 2**63 for value in values):
        raise ValueError(f"its shape or chunks are {str(values)[:80]}, expected whole numbers")
    return tuple(values)
