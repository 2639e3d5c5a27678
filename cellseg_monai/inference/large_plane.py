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
from cellseg_monai.decoding import label_in_blocks
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
    whole, seen, ids = pixels.shape[1:], maps.shape[1:], np.dtype(np.uint32)
    labels = DiskArray.create(scratch / "labels", whole, ids)
    # Where the scale differs, ids need a place before they are brought to that of the image; else `labels` is it.
    parts = None if seen == whole else DiskArray.create(scratch / "parts", seen, ids)
    with ThreadPoolExecutor(_threads(pipeline), thread_name_prefix="cellseg-block") as blocks:
        label_in_blocks(maps, pipeline.postprocess, labels, block_px=_BLOCK_PX, scratch=parts, run=blocks.map)
        return measured(labels, maps, pixels, tta=pipeline.tta, name=name, pixel_size_um=pixel_size_um, run=blocks.map)


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
    maps: SlicedArray,
    pixels: LazyPlane,
    *,
    tta: bool,
    name: str,
    pixel_size_um: tuple[float, float] | None,
    run: Run = map,
) -> Segmentation:
    """Objects with their table.

    Args:
        labels: YX, of the size of the plane.
        maps: CYX at the scale of the network, the foreground first.
        pixels: of the plane.
        tta: whether the last map is the share of the views that see foreground.
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
        probabilities=_Framed(maps, 0, shape),
        agreement=_Framed(maps, -1, shape) if tta else None,
        block_px=_MEASURED_PX,
        run=run,
    )
    return Segmentation(labels, table, name, pixels, names, pixel_size_um)


def _maps(prepared: PreparedWindows, pipeline: Pipeline, scratch: Path, progress: Progress | None) -> DiskArray:
    """The probability maps, and with test-time augmentation after them the share of the views that see foreground."""
    maps: DiskArray | None = None

    def write(rows: slice, columns: slice, logits: np.ndarray) -> None:
        nonlocal maps
        window = pipeline.stacked_maps(logits)
        if maps is None:
            across = pipeline.tiles.cover(prepared.shape)[1]  # windows are as wide as from tile to tile
            edges = [*across.starts, across.length]
            shape = (len(window), *prepared.shape)
            maps = DiskArray.create(scratch / "maps", shape, np.dtype(np.float32), edges=edges)
        maps[:, rows, columns] = window
        if progress is not None:
            progress(window.shape[1] * window.shape[2], math.prod(prepared.shape))

    with Lanes(pipeline.lanes) as lanes, ThreadPoolExecutor(1, thread_name_prefix="cellseg-behind") as behind:
        writing = None
        for window in predict_windows(prepared, prepared.shape, pipeline.asked, pipeline.tiles, lanes):
            if writing is not None:
                writing.result()  # one at a time, so that they do not pile up
            writing = behind.submit(write, *window)
        if writing is not None:
            writing.result()
    assert maps is not None
    return maps


@dataclass(frozen=True)
class _Framed:
    """One map in the frame of the image, by nearest neighbour, as labels are brought there."""

    array: SlicedArray
    channel: int
    shape: tuple[int, int]

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        if self.array.shape[1:] == tuple(self.shape):
            return self.array[self.channel, window[0], window[1]]
        places = [
            nearest_pixels(seen, length)[axis]
            for seen, length, axis in zip(self.array.shape[1:], self.shape, window, strict=True)
        ]
        rows, columns = (slice(int(each.min()), int(each.max()) + 1) for each in places)
        values = self.array[self.channel, rows, columns]
        return values[np.ix_(places[0] - rows.start, places[1] - columns.start)]
