"""Check the files of a Zarr array before zarr decodes them: that they are there, and what they would unpack to."""

from __future__ import annotations

import bz2
import lzma
import math
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import shape_text
from cellseg_monai.formats.decoder_errors import SMALL_BYTES
from cellseg_monai.formats.notes import EMPTY, Note
from cellseg_monai.formats.zarr_layout import ZarrLayout

__all__ = ["check_not_empty", "empty_notes", "has_chunk"]

_FEW_PIXELS, _FEW_FILES = 2**26, 2**14  # up to which reading a missing part takes no time
_RAREST = 1000
_METADATA = (".zarray", ".zattrs", ".zgroup", "zarr.json")
_BLOSC_HEAD, _ZSTD_HEAD = 16, 18
_ZSTD_MARK = b"\x28\xb5\x2f\xfd"
_NO_CHUNK = 2**64 - 1  # in the index of a shard
_STEP_BYTES = 2**20
# The largest number of unpacked bytes per byte.
_RATIOS = {"zlib": 1100, "gzip": 1100, "lz4": 256, "zstd": 40_000, "blosc": 40_000}
_STREAMS: dict[str, Callable[[], Any]] = {
    "zlib": lambda: zlib.decompressobj(),
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "bz2": bz2.BZ2Decompressor,
    "lzma": lambda: lzma.LZMADecompressor(memlimit=SMALL_BYTES),
}


def check_not_empty(path: Path, folder: Path, layout: ZarrLayout) -> None:
    """Refuse a large array of which hardly any chunk exists; a damaged shape would otherwise be read for ever.

    Args:
        path: image, named in error messages.
        folder: folder of the array.
        layout: how the array is stored.

    Raises:
        UnreadableImageError: less than one file in a thousand exists.
    """
    if math.prod(layout.shape) <= _FEW_PIXELS and layout.n_files <= _FEW_FILES:
        return
    wanted, found = -(-layout.n_files // _RAREST), 0
    for _, _, names in os.walk(folder):
        found += sum(name not in _METADATA for name in names)
        if found >= wanted:
            return
    raise UnreadableImageError(
        path,
        f"it declares {shape_text(layout.shape)} pixels, but only {found} of {layout.n_files} files of chunks exist",
        "copy the whole folder again; if the image really is empty, crop it, or write its empty chunks, too",
    )


def empty_notes(folders: Sequence[Path]) -> tuple[Note, ...]:
    """Return a note if an array has no chunk at all, so that an image is empty that perhaps lost its chunks.

    Args:
        folders: folders of the arrays, one per resolution.
    """
    empty = [folder.name for folder in folders if not _has_any(folder)]
    if not empty:
        return ()
    names = ", ".join(repr(name[:40]) for name in empty[:4])
    text = (
        f"no chunk of the array {names} exists, so all of it is empty; if it should not be, copy the whole folder again"
    )
    return (Note(EMPTY, text),)


def _has_any(folder: Path) -> bool:
    return any(name not in _METADATA for _, _, names in os.walk(folder) for name in names)


def has_chunk(file: Path, root: Path, layout: ZarrLayout, place: tuple[int, ...]) -> bool:
    """Return True if a chunk exists, after checking its file.

    Args:
        file: file of the chunk, or of the shard that holds it.
        root: folder of the image, resolved, which the file must not leave.
        layout: how the array is stored.
        place: indices of the chunk in the grid of chunks.

    Raises:
        ValueError: the file is not a regular file of the image, or would unpack to more than a chunk.
        EOFError: the file is truncated.
    """
    if not os.path.lexists(file):
        return False
    target = Path(os.path.realpath(file))
    if not target.is_relative_to(root) or not target.is_file():
        raise ValueError(f"the file {file.name} is not a regular file of the image's own folder")
    size = target.stat().st_size
    with target.open("rb") as stream:
        start, length = (0, size) if layout.shards is None else _within_shard(stream, size, layout, place)
        if length:
            _check_size(stream, start, length, layout)
    return length > 0 or layout.shards is None


def _within_shard(stream: BinaryIO, size: int, layout: ZarrLayout, place: tuple[int, ...]) -> tuple[int, int]:
    """Return the position and length of a chunk within its shard; the length is 0 if the chunk is missing."""
    order, checksum, location = layout.index
    grid = tuple(n // step for n, step in zip(layout.files, layout.chunks, strict=True))
    index_bytes = 16 * math.prod(grid)
    if size < index_bytes + checksum:
        raise EOFError(f"the shard ends after {size} bytes")
    inner = tuple(at % n for at, n in zip(place, grid, strict=True))
    first = 0 if location == "start" else size - index_bytes - checksum
    stream.seek(first + 16 * int(np.ravel_multi_index(inner, grid)))
    start, length = struct.unpack(f"{order}2Q", stream.read(16))
    if start == length == _NO_CHUNK:
        return 0, 0
    if start + length > size or length == 0:
        raise EOFError(f"the shard of {size} bytes places a chunk at bytes {start} to {start + length}")
    return start, length


def _check_size(stream: BinaryIO, start: int, length: int, layout: ZarrLayout) -> None:
    """Raise an error if the bytes of a chunk would unpack to more than it declares."""
    start, length = start + layout.prefix, length - layout.prefix - layout.suffix
    limit, codec = layout.most_bytes, layout.compressor
    if length > limit + limit // 8 + 2**16:
        raise ValueError(f"it has {length} bytes, for a chunk of {limit}")
    if codec is None:
        return
    if layout.chunk_bytes > max(SMALL_BYTES, _RATIOS.get(codec, math.inf) * length):
        raise ValueError(f"it has {length} bytes, too few for a chunk of {layout.chunk_bytes}")
    stream.seek(start)
    if codec == "blosc":
        unpacked = _blosc_size(stream.read(_BLOSC_HEAD), length)
    elif codec == "lz4":
        (unpacked,) = struct.unpack("<i", stream.read(4))
    elif codec == "zstd":
        unpacked = _zstd_size(stream, start, length, limit)
    else:
        unpacked = 0 if length * _RATIOS.get(codec, math.inf) <= limit else _counted(stream.read(length), codec, limit)
    if not 0 <= unpacked <= limit:
        raise ValueError(f"it unpacks to {unpacked} bytes, for a chunk of {limit}")


def _blosc_size(head: bytes, length: int) -> int:
    # Blosc would decode a truncated chunk together with whatever follows in memory.
    if len(head) < _BLOSC_HEAD or length < struct.unpack("<I", head[12:])[0]:
        raise EOFError(f"it ends after {length} bytes")
    (unpacked,) = struct.unpack("<i", head[4:8])
    return int(unpacked)


def _zstd_size(stream: BinaryIO, start: int, length: int, limit: int) -> int:
    """Return the size in the header of a Zstandard frame, or count it if the header does not state it."""
    head = stream.read(min(length, _ZSTD_HEAD))
    if head[:4] != _ZSTD_MARK or len(head) < 6:
        raise ValueError("it is not a Zstandard frame")
    flags = head[4]
    is_single = bool(flags & 32)
    at = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    n_bytes = (int(is_single), 2, 4, 8)[flags >> 6]
    if n_bytes:
        return int.from_bytes(head[at : at + n_bytes], "little") + (256 if n_bytes == 2 else 0)
    stream.seek(start)
    return len(imagecodecs.zstd_decode(stream.read(length), out=bytearray(limit)))


def _counted(content: bytes, codec: str, limit: int) -> int:
    """Return the unpacked size, or a larger one than the limit as soon as it is exceeded; nothing is kept."""
    unpacked = 0
    while content:
        decompressor = _STREAMS[codec]()
        while not decompressor.eof:
            part = decompressor.decompress(content, _STEP_BYTES)
            content = getattr(decompressor, "unconsumed_tail", b"")
            unpacked += len(part)
            if unpacked > limit or not (part or content):
                return unpacked
        content = decompressor.unused_data
    return unpacked
