"""Segmenting a plane that is too large for memory, which holds only some tiles and blocks of it at a time."""

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
_BLOCKS_WITH_A_GPU = 4
_READERS = 4
_MEASURED_PX = 2**22

Progress = Callable[[int, int], None]
"""Called with the number of pixels that the network has seen since the last call, and the number in the plane."""


def segment_large(
    pixels: LazyPlane,
    pipeline: Pipeline,
    scratch: Path,
    *,
    name: str = "image",
    pixel_size_um: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Return the objects that `segment_plane` finds, without holding the image or the labels in memory.

    Args:
        pixels: C×Y×X as measured, read in windows.
        pipeline: the pipeline of the bundle.
        scratch: a folder for what does not fit into memory: 4 bytes for each pixel and probability map at the scale of
            the network, 4 for the labels, and 4 more at the scale of the network if that differs from the image's. The
            labels of the result are kept there.
        name: name of the image file.
        pixel_size_um: (y, x) in µm, if known.
        progress: called after each window that the network has seen.

    Raises:
        ValueError: the image lacks a channel or the pixel size that the pipeline needs, or holds NaN.
        OSError: the image could not be read, or the disk is full.
    """
    maps = _maps(prepared_windows(pixels, pipeline.preprocess, pixel_size_um), pipeline, scratch, progress)
    image_shape, network_shape, ids = pixels.shape[1:], shape_of_maps(maps), np.dtype(np.uint32)
    labels = DiskArray.create(scratch / "labels", image_shape, ids)
    # If the scales differ, ids are stored at that of the network before they are brought to that of the image.
    parts = None if network_shape == image_shape else DiskArray.create(scratch / "parts", network_shape, ids)
    with ThreadPoolExecutor(_threads(pipeline), thread_name_prefix="cellseg-block") as blocks:
        label_in_blocks(maps, pipeline.postprocess, labels, block_px=_BLOCK_PX, scratch=parts, run=blocks.map)
        measured_maps = {map_name: maps[map_name] for map_name in pipeline.measured_maps}
        return measured(labels, measured_maps, pixels, name=name, pixel_size_um=pixel_size_um, run=blocks.map)


def _threads(pipeline: Pipeline) -> int:
    """Return the number of blocks to process at the same time: the lanes, but up to four if a GPU has only one."""
    return max(pipeline.lanes, min(os.cpu_count() or 1, _BLOCKS_WITH_A_GPU))


def prepared_windows(
    pixels: LazyPlane,
    settings: Preprocessing,
    pixel_size_um: tuple[float, float] | None,
    statistics: ImageStatistics | None = None,
) -> PreparedWindows:
    """Return a plane as the network sees it, prepared window by window.

    Args:
        pixels: C×Y×X as measured, read in windows.
        settings: how the bundle prepares images.
        pixel_size_um: (y, x) in µm, if known.
        statistics: statistics of the whole plane; None: they are measured here.
    """
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
    """Return labelled objects with their measurements.

    Args:
        labels: Y×X, with the size of the plane.
        maps: the maps to measure, Y×X by name, at the scale of the network.
        pixels: C×Y×X as measured, read in windows.
        name: name of the image file.
        pixel_size_um: (y, x) in µm, if known.
        run: calls a function for each block, as `map` does.
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
    """Run the network over the plane, and write each map to its own file."""
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

    with Lanes(pipeline.lanes) as lanes, ThreadPoolExecutor(1, thread_name_prefix="cellseg-maps") as writer:
        writing = None
        for window in predict_windows(prepared, prepared.shape, pipeline.augmented_network, pipeline.tiles, lanes):
            if writing is not None:
                writing.result()  # one window at a time, so that windows do not accumulate in memory
            writing = writer.submit(write, *window)
        if writing is not None:
            writing.result()
    return maps


@dataclass(frozen=True)
class _Framed:
    """A map in the frame of the image, by nearest neighbour like the labels."""

    values: SlicedArray
    shape: tuple[int, int]

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        if tuple(self.values.shape) == tuple(self.shape):
            return np.asarray(self.values[window])
        lines = [
            nearest_pixels(network_length, image_length)[axis]
            for network_length, image_length, axis in zip(self.values.shape, self.shape, window, strict=True)
        ]
        rows, columns = (slice(int(places.min()), int(places.max()) + 1) for places in lines)
        return np.asarray(self.values[rows, columns])[np.ix_(lines[0] - rows.start, lines[1] - columns.start)]
