"""What a process of a cluster does with a plane: it opens image and bundle itself, and writes to a folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.boxes import Box
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.large_plane import prepared_windows
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.tiled import Tiles, blend, read_tile
from cellseg_monai.io import open_image
from cellseg_monai.io.zarr_chunks import ZarrChunks
from cellseg_monai.pixels import ImageStatistics, PreparedWindows, Preprocessing

__all__ = ["RemotePipeline", "RemotePlane", "blend_block", "predict_tiles"]

_LOADING = threading.Lock()


@dataclass(frozen=True)
class RemotePipeline:
    """A pipeline as it is sent to another process, which loads the network itself, once.

    Args:
        load: how; pickled by name, hashable, and equal to another that loads the same, such as a frozen dataclass.
        preprocess: as in the pipeline, whatever `load` gives.
        postprocess: likewise.
        tiles: likewise.
        tta: likewise.
        weights_sha256: of the weights that it has to be.
        lanes: how many of them at most; a process of fewer threads has fewer.
        version: of this package.
    """

    load: Callable[[], Pipeline]
    preprocess: Preprocessing
    postprocess: Postprocessing
    tiles: Tiles
    tta: bool
    weights_sha256: str
    lanes: int
    version: str = __version__

    @classmethod
    def of(cls, pipeline: Pipeline, load: Callable[[], Pipeline]) -> RemotePipeline:
        """A pipeline, and how its network is loaded elsewhere."""
        return cls(
            load,
            pipeline.preprocess,
            pipeline.postprocess,
            pipeline.tiles,
            pipeline.tta,
            pipeline.weights_sha256,
            pipeline.lanes,
        )

    def loaded(self) -> Pipeline:
        """The pipeline, in this process.

        Raises:
            ValueError: this process has another version of the package, or other weights.
        """
        if self.version != __version__:
            raise ValueError(
                f"a worker has cellseg_monai {__version__}, but {self.version} was expected; install the same"
            )
        with _LOADING:
            pipeline = _once(self.load, self.weights_sha256)
        if pipeline.weights_sha256 != self.weights_sha256:
            raise ValueError(
                f"a worker finds weights {pipeline.weights_sha256[:12]} of the bundle {pipeline.bundle}, but "
                f"{self.weights_sha256[:12]} were expected; name a bundle on the file system that all share"
            )
        return replace(
            pipeline,
            preprocess=self.preprocess,
            postprocess=self.postprocess,
            tiles=self.tiles,
            tta=self.tta,
            lanes=min(pipeline.lanes, self.lanes),
        )


@lru_cache(maxsize=1)
def _once(load: Callable[[], Pipeline], weights_sha256: str) -> Pipeline:
    """Loaded again when other weights are expected, which may lie under the same path by now."""
    return load()


@dataclass(frozen=True)
class RemotePlane:
    """A plane of an image as it is sent to another process, with what has to be the same in all.

    Args:
        path: of the image file.
        axes: as for `open_image`.
        place: of the plane along the axes before C, Y, X.
        pixel_size_um: (y, x), if known.
        statistics: of the whole plane.
        pipeline: what is done.
        folder: where what it gives is written.
    """

    path: Path
    axes: str | None
    place: tuple[int, ...]
    pixel_size_um: tuple[float, float] | None
    statistics: ImageStatistics
    pipeline: RemotePipeline
    folder: Path

    def answers(self, shape: tuple[int, int], channels: int) -> ZarrChunks:
        """What the network says of each tile, and below each other all of them; a chunk is a channel of a tile."""
        down, across = self.pipeline.tiles.cover(shape)
        count = len(down.starts) * len(across.starts)
        shape_of_all = (count, channels, down.size, across.size)
        return ZarrChunks(self.folder / "tiles", shape_of_all, np.dtype(np.float32), max(down.size, across.size))

    def maps(self, shape: tuple[int, int], channels: int, chunk_px: int) -> ZarrChunks:
        """The probability maps."""
        return ZarrChunks(self.folder / "maps", (channels, *shape), np.dtype(np.float32), chunk_px)

    @contextmanager
    def prepared(self) -> Iterator[PreparedWindows]:
        """The plane as the network sees it.

        Raises:
            OSError: this process does not see the folder.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"a worker does not see {self.folder}; choose an --output on a file system that all workers share, or "
                "look whether this run was stopped"
            )
        with open_image(self.path, axes=self.axes) as image:
            yield prepared_windows(
                image.plane(self.place), self.pipeline.preprocess, self.pixel_size_um, self.statistics
            )


def predict_tiles(plane: RemotePlane, numbers: Sequence[int]) -> int:
    """Ask the network about some tiles at once, and write what it says.

    Args:
        plane: of which they are tiles.
        numbers: of the tiles, row after row.

    Returns:
        How many channels it says.
    """
    pipeline = plane.pipeline.loaded()
    with plane.prepared() as prepared:
        axes = pipeline.tiles.cover(prepared.shape)
        places = [divmod(number, len(axes[1].starts)) for number in numbers]
        tiles, batch = [read_tile(prepared, axes, place) for place in places], pipeline.tiles.batch
    batches = (np.stack(tiles[first : first + batch]) for first in range(0, len(tiles), batch))
    with Lanes(pipeline.lanes) as lanes:
        answers = [answer for said in lanes.answers(pipeline.asked, batches) for answer in said]
    array = plane.answers(prepared.shape, len(answers[0]))
    for number, answer in zip(numbers, answers, strict=True):
        array[number, :, :, :] = answer
    return len(answers[0])


def blend_block(plane: RemotePlane, shape: tuple[int, int], channels: int, chunk_px: int, place: Box) -> int:
    """Write the probability maps of a block, out of what the network said of its tiles.

    They are the sums of the same numbers in the same order as those of the whole plane.

    Args:
        plane: whose tiles are written.
        shape: (Y, X) at which the network sees it.
        channels: how many the network says.
        chunk_px: of the maps.
        place: of the block: whole chunks.

    Returns:
        How many maps there are.
    """
    pipeline = plane.pipeline.loaded()
    answers = plane.answers(shape, channels)
    whole = pipeline.tiles.cover(shape)
    (rows, down), (columns, across) = (
        axis.part(side.start, side.stop) for axis, side in zip(whole, place, strict=True)
    )
    width = len(whole[1].starts)
    said = (
        answers[row * width + column, :, :, :]
        for row in range(rows.start, rows.stop)
        for column in range(columns.start, columns.stop)
    )
    logits: np.ndarray = np.empty((channels, down.length, across.length), np.float32)
    for y, x, window in blend(said, down, across):
        logits[:, y, x] = window
    top, left = whole[0].starts[rows.start], whole[1].starts[columns.start]
    maps = pipeline.stacked_maps(
        logits[:, place[0].start - top : place[0].stop - top, place[1].start - left : place[1].stop - left]
    )
    plane.maps(shape, len(maps), chunk_px)[:, place[0], place[1]] = maps
    return len(maps)
