"""Write label images of any size as TIFF, with one or more planes, from arrays in memory or on disk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.boxes import squares
from cellseg_monai.formats.label_tags import label_tags
from cellseg_monai.formats.sizes import Sizes
from cellseg_monai.io.label_ids import check_ids, check_label_axes, id_type

__all__ = ["write_labels"]

CLASSIC_TIFF_BYTES = 2**32 - 2**25  # the limit of 32-bit offsets, minus room for the tags
STRIPS_UP_TO_PX = 2**24  # planes up to this size are stored in strips, which every program can open
TILE_PX = 1024
_BUFFER_BYTES = 32 * 2**20  # tiles waiting to be compressed


def write_labels(
    path: str | PathLike[str],
    labels: Any,
    *,
    axes: str = "YX",
    pixel_size_um: tuple[float, float] | None = None,
    ome_name: str | None = None,
    durable: bool = True,
    highest_id: int | None = None,
    z_step_um: float | None = None,
    time_step_s: float | None = None,
) -> None:
    """Write a label image as TIFF: uint16, or uint32 if an id exceeds 65,535.

    The file is a BigTIFF only if it exceeds 4 GB. It is written under a temporary name next to its final path, and
    renamed once it is complete. The same labels always give the same bytes. Planes of up to 16 million pixels are
    written whole, in strips. Larger planes are written in tiles of 1024 × 1024 pixels, a few tiles at a time. A stack
    has the header of ImageJ, so that its time points open there as time and its depths as depth.

    Args:
        path: file to write, ending in .tif or .tiff; an existing file is replaced, and missing folders are created.
        labels: integers between 0 (background) and 4,294,967,295, with one axis per letter of `axes`. A NumPy array,
            anything that NumPy converts to one, such as a list, or anything that can be sliced like one, such as a Zarr
            array.
        axes: "YX", preceded by whichever of T, P and Z the image has; `read` restores the axes.
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown; `read` restores the pixel size,
            and other programs see it as the resolution.
        ome_name: image name in the OME metadata, or None for a plain TIFF. In an OME-TIFF, each position is a separate
            image.
        durable: True to wait until the file is on the disk; see `atomic.replacing`.
        highest_id: highest id in the labels; if None, the labels are read once more to find it.
        z_step_um: distance between planes along Z in micrometres, or None if unknown; `read` restores it.
        time_step_s: time between two time points in seconds, or None if unknown; `read` restores it.

    Raises:
        TypeError: the labels are not integers.
        ValueError: the labels do not fit the axes, or are empty, negative or too large; a size is not positive; or the
            path does not end in .tif or .tiff.

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
        _write(aside, labels, dtype, axes, Sizes(pixel_size_um, z_step_um, time_step_s), ome_name)


def _check(file: Path, labels: Any, axes: str) -> None:
    if file.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"got {file.name!r}, expected a file name that ends in .tif or .tiff; choose another name")
    if np.dtype(labels.dtype).kind not in "iu":
        raise TypeError(f"got labels of type {labels.dtype}, expected integers; give every object an integer id")
    shape = tuple(map(int, labels.shape))
    check_label_axes(axes, shape)
    if len(shape) > 2 and shape[-1] == 1:
        # tifffile would mistake the columns for the samples of a pixel.
        raise ValueError(f"cannot write planes one pixel wide (shape {shape}) as TIFF; write them as OME-Zarr")


def _write(file: Path, labels: Any, dtype: np.dtype, axes: str, sizes: Sizes, ome_name: str | None) -> None:
    import tifffile  # slower to import than the rest of this package

    shape = tuple(map(int, labels.shape))
    tags = label_tags(axes, shape, dtype, sizes, ome_name)
    is_big = int(np.prod(shape)) * dtype.itemsize > CLASSIC_TIFF_BYTES
    tiled = shape[-2] * shape[-1] > STRIPS_UP_TO_PX
    images = [list(_planes(shape))]
    if ome_name is not None and "P" in axes:
        p = axes.index("P")
        images = [[place for place in images[0] if place[p] == position] for position in range(shape[p])]
        axes, shape = axes.replace("P", ""), shape[:p] + shape[p + 1 :]
    if ome_name is not None:
        tags["metadata"]["axes"] = axes
    with tifffile.TiffWriter(file, bigtiff=is_big, ome=ome_name is not None) as tiff:
        for places in images:
            tiff.write(
                _parts(labels, places, dtype, tiled=tiled),
                shape=shape,
                dtype=dtype,
                tile=(TILE_PX, TILE_PX) if tiled else None,
                photometric="minisblack",
                compression="zlib",
                buffersize=_BUFFER_BYTES,
                **tags,
            )


def _highest(labels: Any) -> int:
    """Return the highest id, reading one tile at a time."""
    windows = ((*place, *tile) for place in _planes(labels.shape) for tile in squares(labels.shape, TILE_PX))
    return max(int(np.max(labels[window])) for window in windows)


def _parts(labels: Any, places: Sequence[tuple[int, ...]], dtype: np.dtype, *, tiled: bool) -> Iterator[np.ndarray]:
    """Yield the planes at the given places, or their tiles, in file order."""
    side = TILE_PX if tiled else max(labels.shape[-2:])
    for place in places:
        for rows, columns in squares(labels.shape, side):
            window = (*place, rows, columns)
            part = np.asarray(labels[window])
            where = f"in plane {place}, " if place else ""
            check_ids(part, dtype, f"{where}in the block at row {rows.start}, column {columns.start}")
            if not tiled or part.shape == (TILE_PX, TILE_PX):
                yield np.ascontiguousarray(part, dtype)
                continue
            tile: np.ndarray = np.zeros((TILE_PX, TILE_PX), dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _planes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Return the indices of each plane along the axes before Y and X."""
    return itertools.product(*map(range, shape[:-2]))
