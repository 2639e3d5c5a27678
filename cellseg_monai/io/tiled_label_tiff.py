"""Label images larger than memory as TIFF: tile by tile, out of anything that can be sliced."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.io.label_tags import size_tags

__all__ = ["PlaneSource", "check_ids", "write_tiled_labels"]

_TILE_MULTIPLE = 16
_BUFFER_BYTES = 32 * 2**20  # of tiles that wait for their compression


class PlaneSource(Protocol):
    """A label image of Y, X, in memory or not: an array, `LazyPlane`, a Zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the labels."""

    def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
        """Return the labels in rows and columns."""


def write_tiled_labels(
    path: str | PathLike[str],
    labels: PlaneSource,
    *,
    pixel_size_um: tuple[float, float] | None = None,
    tile_px: int = 1024,
    durable: bool = True,
) -> None:
    """Write a label image as tiled, compressed BigTIFF, holding a few tiles of it in memory.

    It is uint16 where the labels are of 8 or 16 bits, else uint32; the file appears under its name only when it
    is complete.

    Args:
        path: ends in .tif or .tiff; an existing file is replaced, and missing folders are made.
        labels: (Y, X) integers from 0 to 4,294,967,295; 0 is background.
        pixel_size_um: height and width of a pixel; `read` gives it back, and other programs find it
            as resolution.
        tile_px: side of a tile, a multiple of 16. Where `labels` lie in chunks, the size of these spares that
            each is decoded several times.
        durable: see `atomic.replacing`.

    Raises:
        TypeError: if the labels are no integers.
        ValueError: if they are not 2-D, empty, negative or too large, or if suffix or tile are not TIFF's.

    >>> import tempfile
    >>> from cellseg_monai.io import open_image
    >>> path = Path(tempfile.mkdtemp()) / "labels.tif"
    >>> write_tiled_labels(path, np.eye(40, dtype=np.uint32) * 70_000, tile_px=16)
    >>> with open_image(path) as image:
    ...     image.shape, image.window((), slice(38, 40), slice(38, 40))[0]
    ((1, 40, 40), array([[70000,     0],
                         [    0, 70000]], dtype=uint32))
    """
    import tifffile  # costs more than this whole package to import

    file = Path(fspath(path))
    if file.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"labels are written as TIFF; {file.name!r} must end in .tif or .tiff")
    if tile_px < 1 or tile_px % _TILE_MULTIPLE:
        raise ValueError(f"tile_px is {tile_px}; tiles of a TIFF have a multiple of {_TILE_MULTIPLE} pixels")
    shape, dtype = tuple(labels.shape), np.dtype(labels.dtype)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"labels have shape {shape}; they must be (Y, X) and not empty")
    if dtype.kind not in "iu":
        raise TypeError(f"labels are {dtype}; they must be integers, one id an object")
    stored = np.dtype(np.uint16 if dtype.itemsize < 4 else np.uint32)
    tags = size_tags(pixel_size_um)
    with replacing(file, durable=durable) as aside:
        tifffile.imwrite(
            aside,
            _tiles(labels, tile_px, stored),
            shape=shape,
            dtype=stored,
            tile=(tile_px, tile_px),
            bigtiff=True,
            photometric="minisblack",
            compression="zlib",
            buffersize=_BUFFER_BYTES,
            **tags,
        )


def check_ids(labels: np.ndarray, dtype: np.dtype, where: str) -> None:
    """Refuse labels that a type of the file cannot hold, which numpy would wrap.

    Raises:
        ValueError: with the place.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0:
        raise ValueError(f"the lowest label is {lowest}, {where}; 0 is background and ids are positive")
    if highest > np.iinfo(dtype).max:
        raise ValueError(f"the highest label is {highest}, {where}, above {np.iinfo(dtype).max}; relabel from 1 on")


def _tiles(labels: PlaneSource, side: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    height, width = labels.shape
    for y in range(0, height, side):
        for x in range(0, width, side):
            part = np.asarray(labels[y : min(y + side, height), x : min(x + side, width)])
            check_ids(part, dtype, f"in the tile at row {y}, column {x}")
            tile = np.zeros((side, side), dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile
