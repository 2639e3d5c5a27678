"""Label images as TIFF: of any size, of several planes, out of an array or of what is sliced like one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.boxes import squares
from cellseg_monai.io.label_ids import check_ids, check_label_axes, id_type
from cellseg_monai.io.label_tags import size_tags

__all__ = ["write_labels"]

CLASSIC_TIFF_BYTES = 2**32 - 2**25  # what its 32-bit offsets reach, less room for the tags
STRIPS_UP_TO_PX = 2**24  # planes up to here are strips, which every program opens, larger ones tiles
TILE_PX = 1024
_WAITING_BYTES = 32 * 2**20  # of tiles that wait for their compression


def write_labels(
    path: str | PathLike[str],
    labels: Any,
    *,
    axes: str = "YX",
    pixel_size_um: tuple[float, float] | None = None,
    ome_name: str | None = None,
    durable: bool = True,
    highest_id: int | None = None,
) -> None:
    """Write a label image as TIFF: uint16, or uint32 if an id exceeds 65,535; BigTIFF only from 4 GB on.

    The file appears under its name only when it is complete: it is written beside it and renamed. The same labels give
    the same bytes. Planes up to 16 million pixels are written as a whole, in strips; of larger ones, in tiles of 1024²,
    a few tiles are held in memory.

    Args:
        path: ends in .tif or .tiff; an existing file is replaced, and missing folders are made.
        labels: integers from 0 to 4,294,967,295 with one axis for every letter of `axes`; 0 is background. A numpy
            array or what becomes one, such as a list, or what gives one when it is sliced, such as a Zarr array.
        axes: "YX", after T, P and Z where there are several planes; `read` gives them back.
        pixel_size_um: height and width of a pixel; `read` gives it back, and other programs find it
            as resolution.
        ome_name: makes an OME-TIFF, in whose metadata the image is called so; positions are images of their own there.
        durable: see `atomic.replacing`.
        highest_id: the largest id of the labels, if it is known; None: they are searched for it.

    Raises:
        TypeError: if the labels are no integers.
        ValueError: if they do not fit the axes, are empty, negative or too large, or if the suffix is not TIFF's.

    >>> import tempfile
    >>> from cellseg_monai.io import read
    >>> path = Path(tempfile.mkdtemp()) / "cells.tif"
    >>> write_labels(path, [[[0, 7]], [[70_000, 0]]], axes="ZYX")
    >>> image = read(path)
    >>> image.axes, image.pixels.dtype, image.pixels.ravel()
    ('ZCYX', dtype('uint32'), array([    0,     7, 70000,     0], dtype=uint32))
    """
    file = Path(fspath(path))
    labels = labels if hasattr(labels, "shape") else np.asarray(labels)
    _check(file, labels, axes)
    dtype = np.dtype(id_type(_highest(labels) if highest_id is None else highest_id))
    with replacing(file, durable=durable) as aside:
        _write(aside, labels, dtype, axes=axes, pixel_size_um=pixel_size_um, ome_name=ome_name)


def _check(file: Path, labels: Any, axes: str) -> None:
    if file.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"labels are written as TIFF; {file.name!r} must end in .tif or .tiff")
    if np.dtype(labels.dtype).kind not in "iu":
        raise TypeError(f"labels are {labels.dtype}; they must be integers, one id an object")
    shape = tuple(map(int, labels.shape))
    check_label_axes(axes, shape)
    if len(shape) > 2 and shape[-1] == 1:
        # tifffile takes such columns for the samples of a pixel.
        raise ValueError(f"a stack of planes one pixel wide, {shape}, is not written as TIFF; write it as OME-Zarr")


def _write(
    file: Path,
    labels: Any,
    dtype: np.dtype,
    *,
    axes: str,
    pixel_size_um: tuple[float, float] | None,
    ome_name: str | None,
) -> None:
    import tifffile  # costs more than this whole package to import

    shape = tuple(map(int, labels.shape))
    tags = size_tags(pixel_size_um)
    metadata = tags.pop("metadata")
    if ome_name is not None:
        metadata = _ome_metadata(ome_name, shape, dtype, pixel_size_um)
    is_big = int(np.prod(shape)) * dtype.itemsize > CLASSIC_TIFF_BYTES
    tiled = shape[-2] * shape[-1] > STRIPS_UP_TO_PX
    pictures = [list(_places(shape))]
    if ome_name is not None and "P" in axes:
        at = axes.index("P")
        pictures = [[place for place in pictures[0] if place[at] == position] for position in range(shape[at])]
        axes, shape = axes.replace("P", ""), shape[:at] + shape[at + 1 :]
    with tifffile.TiffWriter(file, bigtiff=is_big, ome=ome_name is not None) as tiff:
        for places in pictures:
            tiff.write(
                _parts(labels, places, dtype, tiled=tiled),
                shape=shape,
                dtype=dtype,
                tile=(TILE_PX, TILE_PX) if tiled else None,
                photometric="minisblack",
                compression="zlib",
                buffersize=_WAITING_BYTES,
                metadata={**metadata, "axes": axes},
                **tags,
            )


def _ome_metadata(
    name: str, shape: tuple[int, ...], dtype: np.dtype, pixel_size_um: tuple[float, float] | None
) -> dict[str, Any]:
    # The file's own name for itself: by default it would be another each time.
    metadata: dict[str, Any] = {"Name": name, "UUID": str(uuid5(NAMESPACE_OID, f"{name} {shape} {dtype}"))}
    if pixel_size_um is not None:
        height_um, width_um = map(float, pixel_size_um)
        metadata |= {"PhysicalSizeX": width_um, "PhysicalSizeXUnit": "µm"}
        metadata |= {"PhysicalSizeY": height_um, "PhysicalSizeYUnit": "µm"}
    return metadata


def _highest(labels: Any) -> int:
    whole = ((*place, *window) for place in _places(labels.shape) for window in squares(labels.shape, TILE_PX))
    return max(int(np.max(labels[window])) for window in whole)


def _parts(labels: Any, places: Sequence[tuple[int, ...]], dtype: np.dtype, *, tiled: bool) -> Iterator[np.ndarray]:
    """Planes at these places, or the tiles of each, in the order of the file."""
    side = TILE_PX if tiled else max(labels.shape[-2:])
    for place in places:
        for rows, columns in squares(labels.shape, side):
            window = (*place, rows, columns)
            part = np.asarray(labels[window])
            where = f"in plane {place}, " if place else "in "
            check_ids(part, dtype, f"{where}the part at row {rows.start}, column {columns.start}")
            if not tiled or part.shape == (TILE_PX, TILE_PX):
                yield np.ascontiguousarray(part, dtype)
                continue
            tile: np.ndarray = np.zeros((TILE_PX, TILE_PX), dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, shape[:-2]))
