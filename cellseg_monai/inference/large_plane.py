"""Segmenting a plane that is too large for memory, a few tiles or blocks at a time."""

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
from cellseg_monai.inference.flagging import flagged
from cellseg_monai.inference.image_class import classified_image
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
"""A callback that takes the number of pixels the network has seen since the last call, and the total in the plane."""


def segment_large(
    pixels: LazyPlane,
    pipeline: Pipeline,
    scratch: Path,
    *,
    name: str = "image",
    pixel_size_um: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Find the same objects as `segment_plane`, without holding the image or the labels in memory.

    Args:
        pixels: C×Y×X raw pixel values, read window by window.
        pipeline: the bundle's pipeline.
        scratch: folder for data that does not fit in memory. It needs 4 bytes per pixel for the labels, and 4 bytes per
            pixel at the network's scale for each map. If the network's scale differs from the image's, it needs 4 more
            bytes per pixel at the network's scale. The labels of the result stay in this folder.
        name: name of the image file.
        pixel_size_um: (y, x) pixel size in µm, if known.
        progress: called after each window that the network has seen.

    Raises:
        ValueError: the image contains NaN, or lacks a channel or the pixel size that the pipeline needs.
        OSError: the image could not be read, or the disk is full.
    """
    prepared = prepared_windows(pixels, pipeline.preprocess, pixel_size_um)
    maps = _maps(prepared, pipeline, scratch, progress)
    image_shape, network_shape, ids = pixels.shape[1:], shape_of_maps(maps), np.dtype(np.uint32)
    labels = DiskArray.create(scratch / "labels", image_shape, ids)
    # If the scales differ, ids are first stored at the scale of the network, then resampled to that of the image.
    parts = None if network_shape == image_shape else DiskArray.create(scratch / "parts", network_shape, ids)
    with ThreadPoolExecutor(_threads(pipeline), thread_name_prefix="cellseg-block") as blocks:
        label_in_blocks(maps, pipeline.postprocess, labels, block_px=_BLOCK_PX, scratch=parts, run=blocks.map)
        measured_maps = {map_name: maps[map_name] for map_name in pipeline.measured_maps}
        found = measured(labels, measured_maps, pixels, name=name, pixel_size_um=pixel_size_um, run=blocks.map)
    return flagged(classified_image(found, maps), prepared, pipeline)


def _threads(pipeline: Pipeline) -> int:
    """Return the number of blocks to process in parallel: one per lane, or up to four for a GPU, which has one lane."""
    return max(pipeline.lanes, min(os.cpu_count() or 1, _BLOCKS_WITH_A_GPU))


def prepared_windows(
    pixels: LazyPlane,
    settings: Preprocessing,
    pixel_size_um: tuple[float, float] | None,
    statistics: ImageStatistics | None = None,
) -> PreparedWindows:
    """Return a view of a plane that prepares each window for the network when it is read.

    Args:
        pixels: C×Y×X raw pixel values, read window by window.
        settings: how the bundle prepares images.
        pixel_size_um: (y, x) pixel size in µm, if known.
        statistics: intensity statistics of the whole plane; None to measure them here.
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
    """Measure labelled objects, and return both labels and measurements.

    Args:
        labels: label image, Y×X, the same size as the plane.
        maps: maps to average over each object, Y×X at the scale of the network, keyed by name.
        pixels: C×Y×X raw pixel values, read window by window.
        name: name of the image file.
        pixel_size_um: (y, x) pixel size in µm, if known.
        run: calls a function for each block, like `map`.
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
    """Run the network on a plane, and write each map to its own file."""
    across = pipeline.tiles.cover(prepared.shape)[1]  # windows are as wide as the distance between tile starts
    edges = [*across.starts, across.length]
    maps = {
        name: DiskArray.create(scratch / f"map_{number}", prepared.shape, np.dtype(np.float32), edges=edges)
        for number, name in enumerate(pipeline.map_names)
    }

    def write(rows: slice, columns: slice, logits: np.ndarray) -> None:
        named = pipeline.maps(logits)
        if (missing := prepared.missing(rows, columns)) is not None:
            named["foreground"] = np.where(missing, np.float32(0), named["foreground"])
        for name, values in named.items():
            maps[name][rows, columns] = values
        if progress is not None:
            progress(logits.shape[1] * logits.shape[2], math.prod(prepared.shape))

    with Lanes(pipeline.lanes) as lanes, ThreadPoolExecutor(1, thread_name_prefix="cellseg-maps") as writer:
        writing = None
        for window in predict_windows(prepared, prepared.shape, pipeline.augmented_network, pipeline.tiles, lanes):
            if writing is not None:
                writing.result()  # wait, so that windows do not pile up in memory
            writing = writer.submit(write, *window)
        if writing is not None:
            writing.result()
    return maps


@dataclass(frozen=True)
class _Framed:
    """A map resampled to the size of the image when it is sliced, by nearest neighbour like the labels."""

    values: SlicedArray
    shape: tuple[int, int]

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        if tuple(self.values.shape) == tuple(self.shape):
            return np.asarray(self.values[window])
        lines = [
            nearest_pixels(network_length, image_length)[axis]
            for network_length, image_length, axis in zip(self.values.shape, self.shape, window, strict=True)
        ]
        # A table without objects is measured on an empty window.
        rows, columns = (slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0) for places in lines)
        return np.asarray(self.values[rows, columns])[np.ix_(lines[0] - rows.start, lines[1] - columns.start)]
