"""One plane of an image that is too large to be held, in the memory of some tiles and blocks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import Run, SlicedArray
from cellseg_monai.decoding import Maps, label_in_blocks
from cellseg_monai.decoding.maps import shape_of_maps
from cellseg_monai.exports import Segmentation
from cellseg_monai.inference.disk_array import DiskArray
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.tiled import predict_windows
from cellseg_monai.io import LazyPlane
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import ImageStatistics, PreparedWindows, Preprocessing
from cellseg_monai.pixels.scale import nearest_pixels

__all__ = ["Progress", "measured", "prepared_windows", "segment_large"]

_BLOCK_PX = 2048
_BLOCKS_BESIDE_A_GPU = 4
_READERS = 4
_MEASURED_PX = 2**22

Progress = Callable[[int, int], None]
"""Called with the number of pixels that the network has seen since the last call, and of all that it will see."""


def segment_large(
    pixels: LazyPlane,
    pipeline: Pipeline,
    scratch: Path,
    *,
    name: str = "image",
    pixel_size_um: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """The objects of a plane; those of `segment_plane`, though neither image nor labels are held.

    Args:
        pixels: of the plane.
        pipeline: of the bundle.
        scratch: a folder for what does not fit into memory: 4 bytes for each pixel and probability map at the scale of
            the network, 4 for the labels, and 4 more at that scale where it is another. The labels of the result lie
            there.
        name: of the image file.
        pixel_size_um: (y, x), if known.
        progress: called as the work goes on.

    Raises:
        ValueError: the image lacks a channel or the pixel size that the pipeline asks for, or holds NaN.
        OSError: the image could not be read, or the disk is full.
    """
    maps = _maps(prepared_windows(pixels, pipeline.preprocess, pixel_size_um), pipeline, scratch, progress)
    whole, seen, ids = pixels.shape[1:], shape_of_maps(maps), np.dtype(np.uint32)
    labels = DiskArray.create(scratch / "labels", whole, ids)
    # Where the scale differs, ids need a place before they are brought to that of the image; else `labels` is it.
    parts = None if seen == whole else DiskArray.create(scratch / "parts", seen, ids)
    with ThreadPoolExecutor(_threads(pipeline), thread_name_prefix="cellseg-block") as blocks:
        label_in_blocks(maps, pipeline.postprocess, labels, block_px=_BLOCK_PX, scratch=parts, run=blocks.map)
        measured_maps = {map_name: maps[map_name] for map_name in pipeline.measured_maps}
        return measured(labels, measured_maps, pixels, name=name, pixel_size_um=pixel_size_um, run=blocks.map)


def _threads(pipeline: Pipeline) -> int:
    """How many blocks are worked on at once: as many as there are lanes, and beside a GPU, some."""
    return max(pipeline.lanes, min(os.cpu_count() or 1, _BLOCKS_BESIDE_A_GPU))


def prepared_windows(
    pixels: LazyPlane,
    settings: Preprocessing,
    pixel_size_um: tuple[float, float] | None,
    statistics: ImageStatistics | None = None,
) -> PreparedWindows:
    """A plane as the network sees it; see `PreparedWindows`."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _READERS), thread_name_prefix="cellseg-range") as readers:
        return PreparedWindows(
            lambda rows, columns: pixels[:, rows, columns],
            pixels.shape[1:],
            settings,
            channel_names=pixels.image.channel_names,
            pixel_size_um=pixel_size_um,
            statistics=statistics,
            chunk_shape=pixels.image.chunk_shape,
            run=readers.map,
        )


def measured(
    labels: SlicedArray,
    maps: Maps,
    pixels: LazyPlane,
    *,
    name: str,
    pixel_size_um: tuple[float, float] | None,
    run: Run = map,
) -> Segmentation:
    """Objects with their table.

    Args:
        labels: YX, of the size of the plane.
        maps: the maps to measure, Y×X by name, at the scale of the network.
        pixels: of the plane.
        name: of the image file.
        pixel_size_um: (y, x), if known.
        run: as for `measure_objects`.
    """
    names = pixels.image.channel_names
    shape = pixels.shape[1:]
    table = measure_objects(
        labels,
        pixels,
        channel_names=names,
        pixel_size_um=pixel_size_um,
        maps={map_name: _Framed(values, shape) for map_name, values in maps.items()},
        block_px=_MEASURED_PX,
        run=run,
    )
    return Segmentation(labels, table, name, pixels, names, pixel_size_um)


def _maps(
    prepared: PreparedWindows, pipeline: Pipeline, scratch: Path, progress: Progress | None
) -> dict[str, DiskArray]:
    """Run the network over the plane, and write each of its maps to a file of its own."""
    across = pipeline.tiles.cover(prepared.shape)[1]  # windows are as wide as the distance between tiles
    edges = [*across.starts, across.length]
    maps = {
        name: DiskArray.create(scratch / f"map_{number}", prepared.shape, np.dtype(np.float32), edges=edges)
        for number, name in enumerate(pipeline.map_names)
    }

    def write(rows: slice, columns: slice, logits: np.ndarray) -> None:
        for name, values in pipeline.maps(logits).items():
            maps[name][rows, columns] = values
        if progress is not None:
            progress(logits.shape[1] * logits.shape[2], math.prod(prepared.shape))

    with Lanes(pipeline.lanes) as lanes, ThreadPoolExecutor(1, thread_name_prefix="cellseg-behind") as behind:
        writing = None
        for window in predict_windows(prepared, prepared.shape, pipeline.augmented_network, pipeline.tiles, lanes):
            if writing is not None:
                writing.result()  # one window at a time, so that they do not pile up in memory
            writing = behind.submit(write, *window)
        if writing is not None:
            writing.result()
    return maps


@dataclass(frozen=True)
class _Framed:
    """A map in the frame of the image, by nearest neighbour as the labels are brought there."""

    values: SlicedArray
    shape: tuple[int, int]

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        if tuple(self.values.shape) == tuple(self.shape):
            return np.asarray(self.values[window])
        lines = [
            nearest_pixels(seen, length)[axis]
            for seen, length, axis in zip(self.values.shape, self.shape, window, strict=True)
        ]
        rows, columns = (slice(int(places.min()), int(places.max()) + 1) for places in lines)
        return np.asarray(self.values[rows, columns])[np.ix_(lines[0] - rows.start, lines[1] - columns.start)]
