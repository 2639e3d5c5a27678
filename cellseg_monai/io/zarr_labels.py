"""Label images as OME-Zarr (NGFF 0.4): written block by block, by several threads or processes, then made whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing_folder
from cellseg_monai.io.label_ids import check_ids, check_label_axes
from cellseg_monai.io.label_pyramid import build_pyramid, pyramid_shapes
from cellseg_monai.io.label_tags import check_pixel_size
from cellseg_monai.io.registry import image_stem
from cellseg_monai.io.zarr_chunks import ZarrChunks
from cellseg_monai.io.zarr_label_list import check_image_above, image_above, list_labels

__all__ = ["ZarrLabels", "holds_labels", "writing_zarr_labels"]

_NGFF_VERSION = "0.4"
_AXIS_TYPES = {"T": "time", "P": "position", "Z": "space", "Y": "space", "X": "space"}


@dataclass(frozen=True)
class ZarrLabels:
    """A label image that is being written. It holds no open file, and can be sent to other processes.

    Args:
        folder: in which it grows, not yet under its name.
        shape: one length for every letter of `axes`.
        axes: "YX", after T, P and Z where the image has them.
        dtype: uint32 or uint64.
        chunk_px: side of the chunks, and what the corners of blocks are multiples of.
    """

    folder: Path
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype
    chunk_px: int

    def write(self, labels: np.ndarray, *, plane: tuple[int, ...] = (), y: int = 0, x: int = 0) -> None:
        """Write a block of a plane; blocks of different chunks may be written at once, by threads or processes.

        Args:
            labels: (Y, X) integers from 0 on; whole chunks, except at the end of a row or column.
            plane: its place along the axes before Y, X.
            y: row of its corner, a multiple of `chunk_px`.
            x: column of its corner, likewise.

        Raises:
            TypeError: if the labels are no integers.
            ValueError: if an id is negative or too large, or if the block does not consist of whole chunks.
        """
        where = f"in the block at plane {plane}, row {y}, column {x}"
        if labels.dtype.kind not in "iu":
            raise TypeError(f"labels are {labels.dtype}, {where}; they must be integers, one id an object")
        if labels.ndim != 2 or len(plane) != len(self.shape) - 2:
            raise ValueError(f"a block of shape {labels.shape} {where} of {self.axes} {self.shape}; pass one of (Y, X)")
        for start, n, size in zip((y, x), labels.shape, self.shape[-2:], strict=True):
            stop = start + n
            if start % self.chunk_px or not (start < stop == size or (stop < size and n and n % self.chunk_px == 0)):
                raise ValueError(
                    f"{n} rows or columns of {size} {where}; blocks begin and end at multiples of {self.chunk_px}, or "
                    "at the end of the image, so that no two write the same chunk"
                )
        check_ids(labels, self.dtype, where)
        self._level(0).write(labels, plane, y, x)

    def read(self, y: slice, x: slice, *, plane: tuple[int, ...] = ()) -> np.ndarray:
        """Return a window, given with its start and stop, of what is written already."""
        return self._level(0).read(plane, y, x)

    def _level(self, number: int) -> ZarrChunks:
        shapes = pyramid_shapes(self.shape, self.chunk_px)
        return ZarrChunks(self.folder / str(number), shapes[number], self.dtype, self.chunk_px)

    def _levels(self) -> list[ZarrChunks]:
        return [self._level(number) for number in range(len(pyramid_shapes(self.shape, self.chunk_px)))]


@contextmanager
def writing_zarr_labels(
    path: str | PathLike[str],
    shape: tuple[int, ...],
    *,
    axes: str = "YX",
    dtype: type[np.unsignedinteger] = np.uint32,
    pixel_size_um: tuple[float, float] | None = None,
    chunk_px: int = 1024,
    workers: int = 1,
) -> Iterator[ZarrLabels]:
    """A label image to write block by block; when the block of code ends well, it becomes an OME-Zarr.

    Then it is seen to that every chunk was written, the lower resolutions are made, with a few chunks in memory, and
    the folder takes its name; when the code fails, nothing stays. It is NGFF 0.4, a multiscale image that is marked as
    labels: the version that most programs read, and that needs no zarr of version 3, as 0.5 does.

    Args:
        path: the folder, such as "cells.ome.zarr"; a label image of that name is replaced. Within an OME-Zarr 0.4,
            as "image.ome.zarr/labels/cells", the labels are entered in the list of that image's labels.
        shape: one length for every letter of `axes`.
        axes: "YX", after T (time), P (position) and Z (depth), as far as the image has them.
        dtype: numpy.uint32, or numpy.uint64, which fewer programs read, for ids above 4,294,967,295.
        pixel_size_um: height and width of a pixel.
        chunk_px: side of a chunk.
        workers: threads that make the lower resolutions.

    Raises:
        FileExistsError: if there is something else under that name.
        ValueError: if shape, axes, type or size are impossible, if chunks are missing at the end, or if the image
            around is an OME-Zarr 0.5.

    >>> import tempfile
    >>> from cellseg_monai.io import read
    >>> path = Path(tempfile.mkdtemp()) / "cells.ome.zarr"
    >>> with writing_zarr_labels(path, (3, 20), pixel_size_um=(0.5, 0.5), chunk_px=16) as labels:
    ...     labels.write(np.ones((3, 16), int), y=0, x=0)
    ...     labels.write(np.full((3, 4), 70_000), y=0, x=16)
    >>> image = read(path)
    >>> image.axes, image.pixels.shape, image.pixels.max(), image.pixel_size_um
    ('CYX', (1, 3, 20), np.uint32(70000), (0.5, 0.5))
    """
    target = Path(fspath(path))
    _check(target, shape, axes, np.dtype(dtype), chunk_px)
    check_pixel_size(pixel_size_um)
    check_image_above(target)
    with replacing_folder(target) as aside:
        labels = ZarrLabels(aside, tuple(map(int, shape)), axes, np.dtype(dtype), int(chunk_px))
        levels = labels._levels()
        for level in levels:
            level.create()
        yield labels
        missing = levels[0].missing()
        if missing:
            plane, y, x = missing[0]
            raise ValueError(
                f"{target}: {len(missing)} of its chunks were not written, the first at plane {plane}, rows {y.start} "
                f"to {y.stop - 1}, columns {x.start} to {x.stop - 1}; write every block, also those without an object"
            )
        build_pyramid(levels, workers)
        _save(aside / ".zgroup", {"zarr_format": 2})
        attributes = _attributes(image_stem(target), axes, pixel_size_um, len(levels))
        if image_above(target) is not None:
            attributes["image-label"]["source"] = {"image": "../../"}
        _save(aside / ".zattrs", attributes)
    list_labels(target)


def _check(target: Path, shape: tuple[int, ...], axes: str, dtype: np.dtype, chunk_px: int) -> None:
    check_label_axes(axes, tuple(shape))
    if dtype not in (np.uint32, np.uint64):
        raise ValueError(f"labels as {dtype}; pass numpy.uint32, or numpy.uint64 for ids beyond it")
    if chunk_px < 1:
        raise ValueError(f"chunk_px is {chunk_px}; it must be at least 1")
    if target.exists() and not holds_labels(target):
        raise FileExistsError(f"{target}: there is something else than a label image; remove it or choose another name")


def holds_labels(folder: Path) -> bool:
    """Whether a folder is an OME-Zarr of labels, as this writes it."""
    attributes = folder / ".zattrs"
    return attributes.is_file() and "image-label" in json.loads(attributes.read_text(encoding="utf-8"))


def _attributes(name: str, axes: str, pixel_size_um: tuple[float, float] | None, n_levels: int) -> dict[str, Any]:
    named: list[dict[str, str]] = [{"name": letter.lower(), "type": _AXIS_TYPES[letter]} for letter in axes]
    if pixel_size_um is not None:
        for axis in named[-2:]:
            axis["unit"] = "micrometer"
    datasets = []
    for level in range(n_levels):
        # The middle of a pixel lies in the middle of those that it stands for.
        factors = [1.0] * (len(axes) - 2) + [2.0**level] * 2
        size = [1.0] * (len(axes) - 2) + list(map(float, pixel_size_um or (1.0, 1.0)))
        transforms = [{"type": "scale", "scale": [n * f for n, f in zip(size, factors, strict=True)]}]
        if level:
            shift = [n * (f - 1) / 2 for n, f in zip(size, factors, strict=True)]
            transforms.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    multiscale = {"version": _NGFF_VERSION, "name": name, "axes": named, "datasets": datasets, "type": "mode"}
    return {"multiscales": [multiscale], "image-label": {"version": _NGFF_VERSION}}


def _save(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")
