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

    The network is asked about each batch of tiles once, the same batches as in one process, and what it says of a tile
    is written down. Then maps, and then objects, are made block by block. Each call writes chunks of its own, which it
    makes out of what an earlier step has written, so that it may be done again; a step begins when the one before it
    is whole.

    Args:
        cluster: does the work.
        load: loads the pipeline in another process; see `RemotePipeline`.
        chunk_px: side of the chunks of maps and labels.
        block_px: side of a block, a multiple of it. The result does not depend on them.
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
        """The objects of a plane.

        Args:
            pixels: of the plane; the workers open its file under the same path.
            pipeline: of the bundle; its network is not asked here.
            scratch: a folder that the workers see under the same path, for 8 bytes for each pixel and channel of the
                network at its scale, and the labels.
            name: of the image file.
            pixel_size_um: (y, x), if known.
            progress: as for `segment_large`.

        Raises:
            BlockError: the work on a part of the plane failed; names the file and the part.
            ValueError: as `segment_large`.
            OSError: as `segment_large`; or the workers do not share the folder.
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
        maps = self._maps(plane, frame, progress)
        labels, parts = (
            ZarrChunks(plane.folder / named, shape, np.dtype(np.uint32), self.chunk_px)
            for named, shape in (("labels", frame.whole), ("parts", frame.seen))
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
        return measured(labels, maps, pixels, tta=pipeline.tta, name=name, pixel_size_um=pixel_size_um)

    def _maps(self, plane: RemotePlane, frame: _Frame, progress: Progress | None) -> ZarrChunks:
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
        count = _same(
            self.cluster.run(
                partial(blend_block, plane, frame.seen, channels, self.chunk_px), blocks, named=frame.named
            )
        )
        maps = plane.maps(frame.seen, count, self.chunk_px)
        maps.check_complete()
        rmtree(answers.folder)
        return maps


def _same(counts: Sequence[int]) -> int:
    """What all workers said."""
    if len(set(counts)) != 1:
        raise ValueError(f"the network gave {sorted(set(counts))} channels for different parts of one image")
    return counts[0]


def _around(axes: tuple[AxisTiles, AxisTiles], numbers: Sequence[int]) -> Box:
    """The box around some tiles."""
    places: np.ndarray = np.array([divmod(number, len(axes[1].starts)) for number in numbers])
    rows, columns = (
        slice(axis.starts[least], min(axis.starts[most] + axis.size, axis.length))
        for axis, least, most in zip(axes, places.min(axis=0), places.max(axis=0), strict=True)
    )
    return rows, columns


@dataclass(frozen=True)
class _Frame:
    """Where in its file a part of a plane lies.

    Args:
        path: of the file.
        whole: (Y, X) of the plane.
        seen: (Y, X) at which the network sees it.
    """

    path: Path
    whole: tuple[int, int]
    seen: tuple[int, int]

    def named(self, box: Box) -> str:
        """A part of the plane as the network sees it, in words.

        >>> _Frame(Path("a.tif"), (200, 100), (100, 50)).named((slice(0, 50), slice(25, 50)))
        'a.tif, rows 0 to 99, columns 50 to 99'
        """
        return f"{self.path}, {self.within(box)}"

    def within(self, box: Box) -> str:
        """The rows and columns of the file that a part of the plane lies on."""
        (top, bottom), (left, right) = (
            (side.start * length // seen, -(-side.stop * length // seen))
            for side, length, seen in zip(box, self.whole, self.seen, strict=True)
        )
        return f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"

    def naming_objects(self, places: Sequence[Box]) -> Callable[[Box], str]:
        """How blocks of objects are named, of which all are given: they are of either frame, and end with it.

        >>> of_both = [[(slice(0, 50), slice(0, 50))], [(slice(0, 200), slice(0, 64)), (slice(0, 200), slice(64, 100))]]
        >>> for places in of_both:
        ...     _Frame(Path("a.tif"), (200, 100), (50, 50)).naming_objects(places)(places[-1])
        'a.tif, the objects of rows 0 to 199, columns 0 to 99'
        'a.tif, the objects of rows 0 to 199, columns 64 to 99'
        """
        ends = (places[-1][0].stop, places[-1][1].stop) if places else self.seen
        frame = replace(self, seen=ends)
        return lambda box: f"{self.path}, the objects of {frame.within(box)}"
