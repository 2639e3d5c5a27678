"""One plane of a large image, segmented by the workers of a cluster."""

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
from cellseg_monai.inference.large_plane import Progress, measured, prepared_windows
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.io import LazyPlane
from cellseg_monai.io.zarr_chunks import ZarrChunks
from cellseg_monai.pixels import AxisTiles

__all__ = ["LargeOnCluster"]


@dataclass(frozen=True, eq=False)
class LargeOnCluster:
    """Segments planes as `segment_large` does, with the same results.

    The network sees each batch of tiles once, the same batches as in one process, and its logits are written to disk.
    Then maps and objects are made block by block. If each block ran the network on all tiles that reach into it, blocks
    of 2048 px would run it about twice as often, and in other batches, whose rounding can differ.

    Arrays stay on disk. Only values along seams, and the runs of objects that cross them, go through the scheduler,
    whose memory therefore stays small.

    Each call writes its own chunks, computed from the output of earlier steps, so that it can be repeated. A step
    begins when the one before it is complete.

    Args:
        cluster: the workers.
        load: loads the pipeline in another process; see `RemotePipeline`.
        chunk_px: side of the chunks of maps and labels. The result does not depend on it.
        block_px: side of a block, a multiple of `chunk_px`. The result does not depend on it.
    """

    cluster: Cluster
    load: Callable[[], Pipeline]
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
        """Find the objects of a plane.

        Args:
            pixels: the plane; the workers open its file under the same path.
            pipeline: from pixels to objects; its network is not used in this process.
            scratch: a folder that the workers see under the same path. It takes 8 bytes for each pixel and channel of
                the network at its scale, and the labels.
            name: name of the image file.
            pixel_size_um: height and width of a pixel, if known.
            progress: called with the number of pixels that the network has seen since the last call and the number
                that it will see.

        Raises:
            BlockError: the work on a part of the plane failed; the message names the file and the part.
            ValueError: the image lacks a channel or the pixel size that the pipeline asks for, or holds NaN.
            OSError: the image could not be read, the disk is full, or the workers do not share the folder.
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
        return measured(labels, measured_maps, pixels, name=name, pixel_size_um=pixel_size_um)

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
    """Return the number of channels that all workers gave."""
    if len(set(counts)) != 1:
        raise ValueError(f"the network gave {sorted(set(counts))} channels for different parts of one image")
    return counts[0]


def _around(axes: tuple[AxisTiles, AxisTiles], numbers: Sequence[int]) -> Box:
    """Return the box around some tiles."""
    places: np.ndarray = np.array([divmod(number, len(axes[1].starts)) for number in numbers])
    rows, columns = (
        slice(axis.starts[least], min(axis.starts[most] + axis.size, axis.length))
        for axis, least, most in zip(axes, places.min(axis=0), places.max(axis=0), strict=True)
    )
    return rows, columns


@dataclass(frozen=True)
class _Frame:
    """Describes parts of a plane by their rows and columns in the file.

    Args:
        path: path of the file.
        whole: (Y, X) of the plane in the file.
        seen: (Y, X) of the plane in which parts are given, such as at the scale of the network.
    """

    path: Path
    whole: tuple[int, int]
    seen: tuple[int, int]

    def named(self, box: Box) -> str:
        """Describe a part of the plane.

        >>> _Frame(Path("a.tif"), (200, 100), (100, 50)).named((slice(0, 50), slice(25, 50)))
        'a.tif, rows 0 to 99, columns 50 to 99'
        """
        return f"{self.path}, {self.within(box)}"

    def within(self, box: Box) -> str:
        """Describe the rows and columns of a part of the plane in the file."""
        (top, bottom), (left, right) = (
            (side.start * length // seen, -(-side.stop * length // seen))
            for side, length, seen in zip(box, self.whole, self.seen, strict=True)
        )
        return f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"

    def naming_objects(self, places: Sequence[Box]) -> Callable[[Box], str]:
        """Return a function that describes blocks in which objects are made.

        Some steps work on blocks at the scale of the network, others on blocks of the file. The last block ends where
        the plane ends, so it tells the scale.

        Args:
            places: all blocks of a step.

        >>> of_both = [[(slice(0, 50), slice(0, 50))], [(slice(0, 200), slice(0, 64)), (slice(0, 200), slice(64, 100))]]
        >>> for places in of_both:
        ...     _Frame(Path("a.tif"), (200, 100), (50, 50)).naming_objects(places)(places[-1])
        'a.tif, the objects of rows 0 to 199, columns 0 to 99'
        'a.tif, the objects of rows 0 to 199, columns 64 to 99'
        """
        ends = (places[-1][0].stop, places[-1][1].stop) if places else self.seen
        frame = replace(self, seen=ends)
        return lambda box: f"{self.path}, the objects of {frame.within(box)}"
