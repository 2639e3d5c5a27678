"""The work of one process of a cluster on a plane: it opens image and bundle itself and writes to a shared folder."""

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
from cellseg_monai.heads import Head
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
        load: loads the pipeline. It is pickled by name, hashable, and equal to another that loads the same, such as a
            frozen dataclass.
        head: replaces that of the loaded pipeline.
        preprocess: replaces that of the loaded pipeline.
        postprocess: replaces that of the loaded pipeline.
        tiles: replaces that of the loaded pipeline.
        tta: replaces that of the loaded pipeline.
        weights_sha256: SHA-256 of the weights that have to be loaded.
        lanes: largest number of lanes; a process with fewer threads has fewer.
        version: of this package, which has to be the same in the other process.
    """

    load: Callable[[], Pipeline]
    head: Head
    preprocess: Preprocessing
    postprocess: Postprocessing
    tiles: Tiles
    tta: bool
    weights_sha256: str
    lanes: int
    version: str = __version__

    @classmethod
    def of(cls, pipeline: Pipeline, load: Callable[[], Pipeline]) -> RemotePipeline:
        """Return a pipeline with the function that loads it in another process."""
        return cls(
            load,
            pipeline.head,
            pipeline.preprocess,
            pipeline.postprocess,
            pipeline.tiles,
            pipeline.tta,
            pipeline.weights_sha256,
            pipeline.lanes,
        )

    def loaded(self) -> Pipeline:
        """Return the pipeline, loaded in this process.

        Raises:
            ValueError: this process has another version of the package, or other weights.
        """
        if self.version != __version__:
            raise ValueError(
                f"a worker has cellseg_monai {__version__}, expected {self.version}; install the same version"
            )
        with _LOADING:
            pipeline = _load_once(self.load, self.weights_sha256)
        if pipeline.weights_sha256 != self.weights_sha256:
            raise ValueError(
                f"a worker finds weights {pipeline.weights_sha256[:12]} of the bundle {pipeline.bundle}, expected "
                f"{self.weights_sha256[:12]}; use a bundle on a file system that all workers share"
            )
        return replace(
            pipeline,
            head=self.head,
            preprocess=self.preprocess,
            postprocess=self.postprocess,
            tiles=self.tiles,
            tta=self.tta,
            lanes=min(pipeline.lanes, self.lanes),
        )


@lru_cache(maxsize=1)
def _load_once(load: Callable[[], Pipeline], weights_sha256: str) -> Pipeline:
    """Load a pipeline, and again if other weights are expected, which may have replaced those under the same path."""
    return load()


@dataclass(frozen=True)
class RemotePlane:
    """A plane of an image as it is sent to other processes, with all that has to be the same in them.

    Args:
        path: path of the image file.
        axes: axes of the file, if it does not state them; see `open_image`.
        place: indices of the plane along the axes before C, Y, X.
        pixel_size_um: height and width of a pixel, if known.
        statistics: intensities of the whole plane.
        pipeline: from pixels to objects.
        folder: a shared folder for intermediate results.
    """

    path: Path
    axes: str | None
    place: tuple[int, ...]
    pixel_size_um: tuple[float, float] | None
    statistics: ImageStatistics
    pipeline: RemotePipeline
    folder: Path

    def answers(self, shape: tuple[int, int], channels: int) -> ZarrChunks:
        """Return the array of the logits of all tiles, N×K×Y×X; a chunk is one channel of one tile."""
        down, across = self.pipeline.tiles.cover(shape)
        count = len(down.starts) * len(across.starts)
        all_tiles = (count, channels, down.size, across.size)
        return ZarrChunks(self.folder / "tiles", all_tiles, np.dtype(np.float32), max(down.size, across.size))

    def maps(self, shape: tuple[int, int], names: Sequence[str], chunk_px: int) -> dict[str, ZarrChunks]:
        """Return the maps by name, each in a folder of its own."""
        return {
            name: ZarrChunks(self.folder / f"map_{number}", shape, np.dtype(np.float32), chunk_px)
            for number, name in enumerate(names)
        }

    @contextmanager
    def prepared(self) -> Iterator[PreparedWindows]:
        """Open the plane as the network sees it.

        Raises:
            OSError: this process does not see the folder.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"a worker has no access to {self.folder}; choose an --output on a file system that all workers share, "
                "or check whether this run has been stopped"
            )
        with open_image(self.path, axes=self.axes) as image:
            yield prepared_windows(
                image.plane(self.place), self.pipeline.preprocess, self.pixel_size_um, self.statistics
            )


def predict_tiles(plane: RemotePlane, numbers: Sequence[int]) -> int:
    """Run the network on some tiles, and write their logits.

    Args:
        plane: the plane.
        numbers: numbers of the tiles, counted row after row.

    Returns:
        Number of output channels.
    """
    pipeline = plane.pipeline.loaded()
    with plane.prepared() as prepared:
        axes = pipeline.tiles.cover(prepared.shape)
        places = [divmod(number, len(axes[1].starts)) for number in numbers]
        tiles, batch = [read_tile(prepared, axes, place) for place in places], pipeline.tiles.batch
    batches = (np.stack(tiles[first : first + batch]) for first in range(0, len(tiles), batch))
    with Lanes(pipeline.lanes) as lanes:
        answers = [
            answer for batch_answers in lanes.answers(pipeline.augmented_network, batches) for answer in batch_answers
        ]
    array = plane.answers(prepared.shape, len(answers[0]))
    for number, answer in zip(numbers, answers, strict=True):
        array[number, :, :, :] = answer
    return len(answers[0])


def blend_block(plane: RemotePlane, shape: tuple[int, int], channels: int, chunk_px: int, place: Box) -> None:
    """Write the maps of a block, from the network's answers for its tiles.

    The same numbers are added in the same order as when the whole plane is blended.

    Args:
        plane: the plane, with the logits of all tiles written.
        shape: (Y, X) of the plane at the scale of the network.
        channels: number of output channels of the network.
        chunk_px: side of the chunks of the maps.
        place: the block, which consists of whole chunks.
    """
    pipeline = plane.pipeline.loaded()
    answers = plane.answers(shape, channels)
    whole = pipeline.tiles.cover(shape)
    (rows, down), (columns, across) = (
        axis.part(side.start, side.stop) for axis, side in zip(whole, place, strict=True)
    )
    width = len(whole[1].starts)
    tiles = (
        answers[row * width + column, :, :, :]
        for row in range(rows.start, rows.stop)
        for column in range(columns.start, columns.stop)
    )
    logits: np.ndarray = np.empty((channels, down.length, across.length), np.float32)
    for y, x, window in blend(tiles, down, across):
        logits[:, y, x] = window
    top, left = whole[0].starts[rows.start], whole[1].starts[columns.start]
    maps = pipeline.maps(
        logits[:, place[0].start - top : place[0].stop - top, place[1].start - left : place[1].stop - left]
    )
    for name, array in plane.maps(shape, pipeline.map_names, chunk_px).items():
        array[place] = maps[name]
