"""Write label images as OME-Zarr (NGFF 0.4), block by block, from several threads or processes.

Labels are written as version 0.4 (Zarr 2) because, according to the maintainers of the specification, most programs
can read it, and because ome-zarr-py, and therefore napari, recognises its labels. Version 0.5 (Zarr 3) can be read if
zarr 3 is installed, but not written. OME-Zarr support is not an optional extra, because the main command relies on it.
"""

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
from cellseg_monai.formats.label_tags import check_sizes
from cellseg_monai.formats.registry import image_stem
from cellseg_monai.formats.sizes import Sizes
from cellseg_monai.io.label_ids import check_ids, check_label_axes
from cellseg_monai.io.label_pyramid import build_pyramid, pyramid_shapes
from cellseg_monai.io.zarr_chunks import ZarrChunks
from cellseg_monai.io.zarr_label_list import check_image_above, image_above, list_labels

__all__ = ["ZarrLabels", "holds_labels", "writing_zarr_labels"]

_NGFF_VERSION = "0.4"
_AXIS_TYPES = {"T": "time", "P": "position", "Z": "space", "Y": "space", "X": "space"}


@dataclass(frozen=True)
class ZarrLabels:
    """A label image that is being written; it holds no open file, so it can be sent to other processes.

    Args:
        folder: temporary folder in which the image is written.
        shape: one length per letter of `axes`.
        axes: "YX", preceded by whichever of T, P and Z the image has.
        dtype: uint32 or uint64.
        chunk_px: side of a chunk, in pixels.
    """

    folder: Path
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype
    chunk_px: int

    def write(self, labels: np.ndarray, *, plane: tuple[int, ...] = (), y: int = 0, x: int = 0) -> None:
        """Write a block of a plane; several threads or processes can do so at the same time.

        Args:
            labels: (Y, X) array of non-negative integers; whole chunks, except at the far edges of the image.
            plane: indices along the axes before Y and X.
            y: row of the top left corner, a multiple of `chunk_px`.
            x: column of the top left corner, a multiple of `chunk_px`.

        Raises:
            TypeError: the labels are not integers.
            ValueError: an id is negative or too large, or the block does not consist of whole chunks.
        """
        where = f"in the block at plane {plane}, row {y}, column {x}"
        if labels.dtype.kind not in "iu":
            raise TypeError(
                f"got labels of type {labels.dtype} {where}, expected integers; give every object an integer id"
            )
        if labels.ndim != 2 or len(plane) != len(self.shape) - 2:
            raise ValueError(
                f"got labels of shape {labels.shape} {where} of a {self.axes} image of shape {self.shape}; pass labels "
                "with the axes Y and X, and one plane index for each of the remaining axes"
            )
        for start, n, size in zip((y, x), labels.shape, self.shape[-2:], strict=True):
            stop = start + n
            if start % self.chunk_px or not (start < stop == size or (stop < size and n and n % self.chunk_px == 0)):
                raise ValueError(
                    f"got a block that spans {start} to {stop} along an axis of length {size}, {where}; begin and end "
                    f"blocks at multiples of {self.chunk_px} or at the image edge, so that no blocks share a chunk"
                )
        check_ids(labels, self.dtype, where)
        self._level(0).write(labels, plane, y, x)

    def read(self, y: slice, x: slice, *, plane: tuple[int, ...] = ()) -> np.ndarray:
        """Return the labels in a window; all chunks that the window touches must have been written.

        Args:
            y: rows, as a slice with start and stop.
            x: columns, as a slice with start and stop.
            plane: indices along the axes before Y and X.
        """
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
    z_step_um: float | None = None,
    time_step_s: float | None = None,
) -> Iterator[ZarrLabels]:
    """Open a label image for writing block by block; it becomes an OME-Zarr when the `with` block ends.

    At that point, the function checks that no chunk is missing, computes the lower resolutions with a few chunks in
    memory, and gives the folder its final name. If the `with` block fails, nothing remains. The result is a multiscale
    NGFF 0.4 image that is marked as labels.

    Args:
        path: folder to write, such as "cells.ome.zarr"; an existing label image is replaced. Inside an OME-Zarr 0.4
            image, as in "image.ome.zarr/labels/cells", the labels are added to the image's list of labels.
        shape: one length per letter of `axes`.
        axes: "YX", preceded by whichever of T (time), P (position) and Z (depth) the image has.
        dtype: numpy.uint32; or numpy.uint64, which fewer programs can read, for ids above 4,294,967,295.
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown.
        chunk_px: side of a chunk, in pixels.
        workers: number of threads that compute the lower resolutions.
        z_step_um: distance between planes along Z in micrometres, or None if unknown.
        time_step_s: time between two time points in seconds, or None if unknown.

    Raises:
        FileExistsError: the path exists but is not a label image.
        ValueError: an argument is invalid, chunks are missing at the end, or the path is inside an OME-Zarr 0.5 image.

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
    sizes = Sizes(pixel_size_um, z_step_um, time_step_s)
    check_sizes(sizes)
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
                f"{target}: {len(missing)} chunks were not written, the first in plane {plane} at rows {y.start} to "
                f"{y.stop - 1}, columns {x.start} to {x.stop - 1}; write every block, even blocks without objects"
            )
        build_pyramid(levels, workers)
        _save(aside / ".zgroup", {"zarr_format": 2})
        attributes = _attributes(image_stem(target), axes, sizes, len(levels))
        if image_above(target) is not None:
            attributes["image-label"]["source"] = {"image": "../../"}
        _save(aside / ".zattrs", attributes)
    list_labels(target)


def _check(target: Path, shape: tuple[int, ...], axes: str, dtype: np.dtype, chunk_px: int) -> None:
    check_label_axes(axes, tuple(shape))
    if dtype not in (np.uint32, np.uint64):
        raise ValueError(f"got dtype {dtype}, expected uint32 or uint64; pass numpy.uint32 if the ids fit")
    if chunk_px < 1:
        raise ValueError(f"got chunk_px={chunk_px}, expected a whole number of at least 1; pass a larger number")
    if target.exists() and not holds_labels(target):
        raise FileExistsError(f"{target} exists but is not a label image; remove it, or choose another path")


def holds_labels(folder: Path) -> bool:
    """Return True if a folder is an OME-Zarr (version 0.4) that is marked as a label image."""
    attributes = folder / ".zattrs"
    return attributes.is_file() and "image-label" in json.loads(attributes.read_text(encoding="utf-8"))


def _attributes(name: str, axes: str, sizes: Sizes, n_levels: int) -> dict[str, Any]:
    """Return the content of .zattrs: axes, resolutions, and the entry that marks the image as labels."""
    height_um, width_um = sizes.pixel_size_um or (None, None)
    steps = {"T": sizes.time_step_s, "Z": sizes.z_step_um, "Y": height_um, "X": width_um}
    axis_entries: list[dict[str, str]] = [{"name": letter.lower(), "type": _AXIS_TYPES[letter]} for letter in axes]
    for letter, entry in zip(axes, axis_entries, strict=True):
        if steps.get(letter) is not None:
            entry["unit"] = "second" if letter == "T" else "micrometer"
    datasets = []
    for level in range(n_levels):
        # A pixel at a lower resolution is centred on the pixels that it replaces.
        factors = [1.0] * (len(axes) - 2) + [2.0**level] * 2
        size = [float(steps.get(letter) or 1.0) for letter in axes]
        transforms = [{"type": "scale", "scale": [n * f for n, f in zip(size, factors, strict=True)]}]
        if level:
            shift = [n * (f - 1) / 2 for n, f in zip(size, factors, strict=True)]
            transforms.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    multiscale = {"version": _NGFF_VERSION, "name": name, "axes": axis_entries, "datasets": datasets, "type": "mode"}
    return {"multiscales": [multiscale], "image-label": {"version": _NGFF_VERSION}}


def _save(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")
