"""Segmenting a large plane with all workers in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.decoding import label_in_blocks
from cellseg_monai.decoding.blockwise.grid import Blocks
from cellseg_monai.exports import Segmentation
from cellseg_monai.inference.cluster.remote_plane import RemotePipeline, RemotePlane, blend_block, predict_tiles
from cellseg_monai.inference.cluster.workers import Cluster
from cellseg_monai.inference.flagging import flagged
from cellseg_monai.inference.image_class import classified_image
from cellseg_monai.inference.large_plane import Progress, measured, prepared_windows
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.scouted import Chooser
from cellseg_monai.io import LazyPlane
from cellseg_monai.io.zarr_chunks import ZarrChunks
from cellseg_monai.pixels import AxisTiles

__all__ = ["LargeOnCluster"]


@dataclass(frozen=True, eq=False)
class LargeOnCluster:
    """A function that segments planes on a cluster, with the same results as `segment_large`.

    The network sees each batch of tiles exactly once, in the same batches as in a single process, and its logits are
    written to disk. Maps and then objects are computed from the logits, block by block. If each block instead ran the
    network on every tile that reaches into it, blocks of 2048 px would need about twice as many runs. The tiles would
    also be batched differently, which can change how results are rounded.

    Arrays stay on disk. Only the values along seams, and the pixel runs of objects that cross a seam, pass through the
    scheduler, so it needs little memory.

    Each call computes its own chunks from the output of earlier steps, so it is safe to repeat. A step starts only when
    the previous one is complete.

    Args:
        cluster: the workers.
        load: function that loads the pipeline in another process; see `RemotePipeline`.
        chunk_px: side of the chunks in which maps and labels are stored, in pixels. It does not affect the result.
        block_px: side of a block in pixels, a multiple of `chunk_px`. It does not affect the result.
    """

    cluster: Cluster
    load: Callable[[], Chooser]
    chunk_px: int = 1024
    block_px: int = 2048

    def __call__(
        self,
        pixels: LazyPlane,
        pipeline: Pipeline,
        scratch: Path,
        *,
        name: str = "image",
        pixel_size_um: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> Segmentation:
        """Find the objects in a plane.

        Args:
            pixels: the plane; the workers open its file under the same path.
            pipeline: the bundle's pipeline; its network does not run in this process.
            scratch: a folder that the workers can access under the same path. It needs 8 bytes for each pixel and
                network channel, at the scale of the network, plus space for the labels.
            name: name of the image file.
            pixel_size_um: height and width of a pixel in µm, if known.
            progress: called with the number of pixels that the network has seen since the last call, and the total
                number that it will see.

        Raises:
            BlockError: a part of the plane could not be processed; the message names the file and the part.
            ValueError: the image contains NaN, or lacks a channel or the pixel size that the pipeline needs.
            OSError: the image could not be read, the disk is full, or a worker has no access to the scratch folder.
        """
        prepared = prepared_windows(pixels, pipeline.preprocess, pixel_size_um)
        plane = RemotePlane(
            path=pixels.image.path.absolute(),
            axes=pixels.image.stated_axes,
            place=tuple(pixels.place),
            pixel_size_um=pixel_size_um,
            statistics=prepared.statistics,
            pipeline=RemotePipeline.of(pipeline, self.load),
            folder=scratch.absolute(),
        )
        frame = _Frame(plane.path, pixels.shape[1:], prepared.shape)
        maps = self._maps(plane, frame, pipeline.map_names, progress)
        labels, parts = (
            ZarrChunks(plane.folder / subfolder, shape, np.dtype(np.uint32), self.chunk_px)
            for subfolder, shape in (("labels", frame.whole), ("parts", frame.seen))
        )
        label_in_blocks(
            maps,
            pipeline.postprocess,
            labels,
            block_px=self.block_px,
            scratch=parts,
            run=lambda function, places, *more: self.cluster.run(
                function, places, *more, named=frame.naming_objects(places)
            ),
        )
        labels.check_complete()
        measured_maps = {map_name: maps[map_name] for map_name in pipeline.measured_maps}
        found = measured(labels, measured_maps, pixels, name=name, pixel_size_um=pixel_size_um)
        return flagged(classified_image(found, maps), prepared, pipeline)

    def _maps(
        self, plane: RemotePlane, frame: _Frame, names: Sequence[str], progress: Progress | None
    ) -> dict[str, ZarrChunks]:
        axes = plane.pipeline.tiles.cover(frame.seen)
        count, batch = len(axes[0].starts) * len(axes[1].starts), plane.pipeline.tiles.batch * plane.pipeline.lanes
        batches = [range(first, min(first + batch, count)) for first in range(0, count, batch)]
        pixels, share = frame.seen[0] * frame.seen[1], 0

        def done(batches_done: int) -> None:
            nonlocal share
            if progress is not None:
                progress(pixels * batches_done // len(batches) - share, pixels)
            share = pixels * batches_done // len(batches)

        channels = _same(
            self.cluster.run(
                partial(predict_tiles, plane),
                batches,
                named=lambda numbers: frame.named(_around(axes, numbers)),
                done=done,
            )
        )
        answers = plane.answers(frame.seen, channels)
        answers.check_complete()
        blocks = Blocks(frame.seen, (self.block_px, self.block_px)).places
        self.cluster.run(partial(blend_block, plane, frame.seen, channels, self.chunk_px), blocks, named=frame.named)
        maps = plane.maps(frame.seen, names, self.chunk_px)
        for array in maps.values():
            array.check_complete()
        rmtree(answers.folder)
        return maps


def _same(counts: Sequence[int]) -> int:
    """Return the number of output channels, after checking that it is the same for every batch."""
    if len(set(counts)) != 1:
        raise ValueError(
            f"got {sorted(set(counts))} output channels for different parts of one image, expected the same number "
            "everywhere; check that all workers load the same network"
        )
    return counts[0]


def _around(axes: tuple[AxisTiles, AxisTiles], numbers: Sequence[int]) -> Box:
    """Return the smallest box that contains the given tiles."""
    places: np.ndarray = np.array([divmod(number, len(axes[1].starts)) for number in numbers])
    rows, columns = (
        slice(axis.starts[least], min(axis.starts[most] + axis.size, axis.length))
        for axis, least, most in zip(axes, places.min(axis=0), places.max(axis=0), strict=True)
    )
    return rows, columns


@dataclass(frozen=True)
class _Frame:
    """The frame of a plane, which describes parts of the plane by their rows and columns in the file, for messages.

    Args:
        path: path of the image file.
        whole: (Y, X) shape of the plane in the file.
        seen: (Y, X) shape of the plane at the scale of the boxes to describe, such as the network's scale.
    """

    path: Path
    whole: tuple[int, int]
    seen: tuple[int, int]

    def named(self, box: Box) -> str:
        """Return the file, rows and columns of a part of the plane, as text.

        >>> _Frame(Path("a.tif"), (200, 100), (100, 50)).named((slice(0, 50), slice(25, 50)))
        'a.tif, rows 0 to 99, columns 50 to 99'
        """
        return f"{self.path}, {self.within(box)}"

    def within(self, box: Box) -> str:
        """Return the rows and columns that a part of the plane has in the file, as text."""
        (top, bottom), (left, right) = (
            (side.start * length // seen, -(-side.stop * length // seen))
            for side, length, seen in zip(box, self.whole, self.seen, strict=True)
        )
        return f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"

    def naming_objects(self, places: Sequence[Box]) -> Callable[[Box], str]:
        """Return a function that describes a block in which objects are labelled.

        Some steps work on blocks at the scale of the network, others on blocks at the scale of the file. The last block
        ends where the plane ends, which reveals the scale.

        Args:
            places: all blocks that a step works on.

        >>> of_both = [[(slice(0, 50), slice(0, 50))], [(slice(0, 200), slice(0, 64)), (slice(0, 200), slice(64, 100))]]
        >>> for places in of_both:
        ...     _Frame(Path("a.tif"), (200, 100), (50, 50)).naming_objects(places)(places[-1])
        'a.tif, the objects in rows 0 to 199, columns 0 to 99'
        'a.tif, the objects in rows 0 to 199, columns 64 to 99'
        """
        ends = (places[-1][0].stop, places[-1][1].stop) if places else self.seen
        frame = replace(self, seen=ends)
        return lambda box: f"{self.path}, the objects in {frame.within(box)}"
