"""Read OME-Zarr images (NGFF 0.1 to 0.5) and bare Zarr arrays with zarr, chunk by chunk."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.axes import UNSTATED, settle_axes
from cellseg_monai.io.block_cache import BlockCache
from cellseg_monai.io.decoder_errors import cause_of, decoding
from cellseg_monai.io.lazy_arrays import BlockArray
from cellseg_monai.io.ngff import Multiscale, ZarrNode, find_image
from cellseg_monai.io.stored import Stored, is_smaller

__all__ = ["opened"]

_COPY_AGAIN = "it is damaged or incomplete, so copy the whole folder again"
_BLOSC_HEAD = 16


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open the image in a folder.

    The axes of a bare 2-D array are Y and X; the user has to state those of any other bare array. A missing chunk is an
    empty part of the image, as the format defines.

    Args:
        path: folder to open.
        axes: axes according to the user, or None.
        indices: ignored, because Zarr has no palettes.

    Raises:
        UnreadableImageError: the folder is damaged, is a plate or another collection, or needs a newer zarr than the
            one installed.
    """
    with decoding(path):
        image = find_image(path)
        if isinstance(image, ZarrNode):
            n_axes = len(image.metadata["shape"])
            image = Multiscale((image,), "YX" if n_axes == 2 else UNSTATED[0] * n_axes, None, ())
        cache = BlockCache()
        full, *others = (_open(path, node, cache) for node in image.arrays)
        if len(image.axes) != len(full.shape):
            raise UnreadableImageError(
                path, f"the axes {image.axes} do not fit the array shape {full.shape}", _COPY_AGAIN
            )
        settled = settle_axes(path, full.shape, image.axes, axes)
        smaller = tuple(array for array in others if is_smaller(array, full, settled))
        stored = Stored(full, settled, image.channel_names, image.pixel_size_um, image.axes, smaller)
    yield stored


def _open(path: Path, node: ZarrNode, cache: BlockCache) -> BlockArray:
    if node.version > 2 and int(zarr.__version__.split(".")[0]) < 3:
        raise UnreadableImageError(
            path,
            f"this is Zarr version 3 (OME-Zarr 0.5), but the installed zarr {zarr.__version__} reads only version 2",
            "install zarr 3, which needs Python 3.11 or newer",
        )
    array: Any = zarr.open_array(str(node.folder), mode="r")
    chunks, shape = tuple(array.chunks), tuple(array.shape)

    def decode(place: tuple[int, ...]) -> np.ndarray:
        region = tuple(slice(i * n, min((i + 1) * n, size)) for i, n, size in zip(place, chunks, shape, strict=True))
        try:
            _check_blosc(node, place)
            return np.asarray(array[region])
        except Exception as error:
            where = f"chunk {'/'.join(map(str, place))} of the array {node.folder.name!r}"
            reason = f"{where} cannot be decoded ({cause_of(error)})"
            raise UnreadableImageError(path, reason, _COPY_AGAIN) from error

    return BlockArray(shape, np.dtype(array.dtype), chunks, decode, cache, node.folder)


def _check_blosc(node: ZarrNode, place: tuple[int, ...]) -> None:
    """Refuse a truncated chunk, because Blosc would decode it together with whatever follows in memory."""
    codecs = node.metadata.get("codecs") or [node.metadata.get("compressor") or {}]
    if "blosc" not in (codecs[-1].get("name"), codecs[-1].get("id")):
        return
    file = node.folder / _chunk_name(node.metadata, place)
    if not file.is_file():
        return
    with file.open("rb") as stream:
        head = stream.read(_BLOSC_HEAD)
    size = file.stat().st_size
    if len(head) < _BLOSC_HEAD or size < struct.unpack("<I", head[-4:])[0]:
        raise EOFError(f"the chunk file {file.name} ends after {size} bytes")


def _chunk_name(metadata: dict[str, Any], place: tuple[int, ...]) -> str:
    """Return the path of a chunk within the folder of its array."""
    encoding = metadata.get("chunk_key_encoding") or {"name": "v2"}
    settings = encoding.get("configuration") or {}
    if encoding["name"] == "v2":
        separator = metadata.get("dimension_separator") or settings.get("separator") or "."
        return separator.join(map(str, place))
    return (settings.get("separator") or "/").join(["c", *map(str, place)])
