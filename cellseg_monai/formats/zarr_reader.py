"""Read OME-Zarr images (NGFF 0.1 to 0.5) and bare Zarr arrays with zarr, chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
import zarr.storage

from cellseg_monai.errors import UnreadableImageError, cause_of
from cellseg_monai.formats.axes import UNSTATED, settle_axes
from cellseg_monai.formats.block_cache import BlockCache
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.lazy_arrays import BlockArray
from cellseg_monai.formats.ngff import Multiscale, ZarrNode, find_image
from cellseg_monai.formats.sizes import Sizes
from cellseg_monai.formats.stored import Stored, is_smaller
from cellseg_monai.formats.zarr_chunk_files import check_not_empty, empty_notes, has_chunk
from cellseg_monai.formats.zarr_layout import layout_of

__all__ = ["opened"]

_COPY_AGAIN = "it is damaged or incomplete, so copy the whole folder again"
_METADATA = (".zarray", ".zattrs", ".zgroup", "zarr.json")


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open the image in a folder.

    The axes of a bare 2-D array are Y and X; the user has to state those of any other bare array. As the format
    defines, a missing chunk stands for an empty part of the image.

    Args:
        path: folder to open.
        axes: axes according to the user, or None.
        indices: ignored, because Zarr has no palettes.

    Raises:
        UnreadableImageError: the folder is damaged, is a plate or another collection, names a codec or a file that is
            not allowed, is almost empty, or needs a newer zarr than the one installed.
    """
    with decoding(path):
        image = find_image(path)
        if isinstance(image, ZarrNode):
            n_axes = len(image.metadata["shape"])
            image = Multiscale((image,), "YX" if n_axes == 2 else UNSTATED[0] * n_axes, Sizes(), ())
        cache = BlockCache()
        full, *others = (_open(path, node, cache) for node in image.arrays)
        if len(image.axes) != len(full.shape):
            raise UnreadableImageError(
                path, f"the axes {image.axes} do not fit the array shape {full.shape}", _COPY_AGAIN
            )
        settled = settle_axes(path, full.shape, image.axes, axes)
        smaller = tuple(array for array in others if is_smaller(array, full, settled))
        notes = empty_notes([node.folder for node in image.arrays])
        stored = Stored(full, settled, image.channel_names, image.sizes, image.axes, smaller, notes)
    yield stored


def _open(path: Path, node: ZarrNode, cache: BlockCache) -> BlockArray:
    if node.version > 2 and int(zarr.__version__.split(".")[0]) < 3:
        raise UnreadableImageError(
            path,
            f"this is Zarr version 3 (OME-Zarr 0.5), but the installed zarr {zarr.__version__} reads only version 2",
            "install zarr 3, which needs Python 3.11 or newer",
        )
    layout, root = layout_of(path, node), Path(os.path.realpath(path))
    array = _opened(path, node)
    check_not_empty(path, node.folder, layout)
    chunks, files, shape = layout.chunks, layout.files, layout.shape
    empty: np.ndarray = np.zeros((), layout.dtype) if array.fill_value is None else np.asarray(array.fill_value)

    def decode(place: tuple[int, ...]) -> np.ndarray:
        region = tuple(slice(i * n, min((i + 1) * n, size)) for i, n, size in zip(place, chunks, shape, strict=True))
        in_file = tuple(i * n // step for i, n, step in zip(place, chunks, files, strict=True))
        try:
            if has_chunk(node.folder / _chunk_name(node.metadata, in_file), root, layout, place):
                return np.asarray(array[region])
            return np.broadcast_to(empty.astype(layout.dtype), [part.stop - part.start for part in region])
        except PermissionError:  # says nothing about the file
            raise
        except Exception as error:
            where = f"chunk {'/'.join(map(str, place))} of the array {node.folder.name!r}"
            reason = f"{where} cannot be decoded ({cause_of(error)})"
            raise UnreadableImageError(path, reason, _COPY_AGAIN) from error

    return BlockArray(shape, np.dtype(array.dtype), chunks, decode, cache, node.folder)


def _opened(path: Path, node: ZarrNode) -> Any:
    """Return the array of zarr, which takes a name with "::" or "://" for an address unless it gets a store."""
    for name in _METADATA:
        if os.path.lexists(node.folder / name) and not (node.folder / name).is_file():
            raise UnreadableImageError(path, f"{name} in {node.folder.name!r} is not a file", _COPY_AGAIN)
    stores, version = cast(Any, zarr.storage), cast(Any, node.version)
    if hasattr(stores, "LocalStore"):
        return zarr.open_array(stores.LocalStore(node.folder, read_only=True), mode="r", zarr_format=version)
    return zarr.open_array(stores.DirectoryStore(str(node.folder)), mode="r")  # zarr 2


def _chunk_name(metadata: dict[str, Any], place: tuple[int, ...]) -> str:
    """Return the path of a chunk within the folder of its array."""
    encoding = metadata.get("chunk_key_encoding") or {"name": "v2"}
    settings = encoding.get("configuration") or {}
    if encoding["name"] == "v2":
        separator = metadata.get("dimension_separator") or settings.get("separator") or "."
        return separator.join(map(str, place))
    return (settings.get("separator") or "/").join(["c", *map(str, place)])
