"""One worker's share of a large plane: each worker opens the image and the bundle, and writes to a shared folder."""

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
from cellseg_monai.inference.scouted import Chooser, ScoutedPipelines
from cellseg_monai.inference.tiled import Tiles, blend, read_tile
from cellseg_monai.io import open_image
from cellseg_monai.io.zarr_chunks import ZarrChunks
from cellseg_monai.pixels import ImageStatistics, PreparedWindows, Preprocessing

__all__ = ["RemoteChooser", "RemotePipeline", "RemotePlane", "blend_block", "predict_tiles"]

_LOADING = threading.Lock()


@dataclass(frozen=True)
class RemotePipeline:
    """A pipeline without its network, for sending to other processes; each process loads the network once.

    Args:
        bundle: name of the bundle.
        load: callable that loads the pipeline, or the pipelines among which a scout chooses. It must be hashable and
            picklable, and compare equal to any other that loads the same pipeline, as a frozen dataclass does.
        head: replaces the head of the loaded pipeline.
        preprocess: replaces the preprocessing of the loaded pipeline.
        postprocess: replaces the post-processing of the loaded pipeline.
        tiles: replaces the tiles of the loaded pipeline.
        tta: replaces the test-time augmentation setting of the loaded pipeline.
        weights_sha256: SHA-256 that the loaded weights must have.
        lanes: maximum number of lanes; a process with fewer threads uses fewer.
        version: version of this package, which the other process must also have.
    """

    bundle: str
    load: Callable[[], Chooser]
    head: Head
    preprocess: Preprocessing
    postprocess: Postprocessing
    tiles: Tiles
    tta: bool
    weights_sha256: str
    lanes: int
    version: str = __version__

    @classmethod
    def of(cls, pipeline: Pipeline, load: Callable[[], Chooser]) -> RemotePipeline:
        """Return a copy of a pipeline that can be sent to other processes.

        Args:
            pipeline: the pipeline.
            load: function that loads the pipeline in another process.
        """
        return cls(
            pipeline.bundle,
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
        """Load the pipeline in this process, or return it if it is already loaded.

        Raises:
            ValueError: this process has a different version of the package, or different weights.
        """
        if self.version != __version__:
            raise ValueError(
                f"a worker has cellseg_monai {__version__}, expected {self.version}; install that version on the worker"
            )
        with _LOADING:
            pipeline = _load_once(self.load).named(self.bundle)
            if pipeline.weights_sha256 != self.weights_sha256:  # the file may have been replaced since it was loaded
                _load_once.cache_clear()
                pipeline = _load_once(self.load).named(self.bundle)
        if pipeline.weights_sha256 != self.weights_sha256:
            raise ValueError(
                f"a worker found weights with SHA-256 {pipeline.weights_sha256[:12]} in the bundle {pipeline.bundle}, "
                f"expected {self.weights_sha256[:12]}; use a bundle on a file system that all workers share"
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


@dataclass(frozen=True)
class RemoteChooser:
    """A pipeline, or the pipelines among which a scout chooses, for sending to other processes.

    Args:
        load: see `RemotePipeline`.
        pipelines: the pipelines.
        scout_sha256: SHA-256 that the weights of the scout must have; None without a scout.
    """

    load: Callable[[], Chooser]
    pipelines: tuple[RemotePipeline, ...]
    scout_sha256: str | None

    @classmethod
    def of(cls, chooser: Chooser, load: Callable[[], Chooser]) -> RemoteChooser:
        """Return a copy that can be sent to other processes; see `RemotePipeline.of`."""
        if isinstance(chooser, Pipeline):
            return cls(load, (RemotePipeline.of(chooser, load),), None)
        pipelines = tuple(RemotePipeline.of(pipeline, load) for pipeline in chooser.pipelines.values())
        return cls(load, pipelines, chooser.scout.weights_sha256)

    def loaded(self) -> Chooser:
        """Load everything in this process, or return it if it is already loaded; see `RemotePipeline.loaded`."""
        pipelines = {remote.bundle: remote.loaded() for remote in self.pipelines}
        if self.scout_sha256 is None:
            return next(iter(pipelines.values()))
        with _LOADING:
            chooser = _load_once(self.load)
        if not isinstance(chooser, ScoutedPipelines) or chooser.scout.weights_sha256 != self.scout_sha256:
            raise ValueError("a worker found another scout than this process; install the same version on the worker")
        return replace(chooser, pipelines=pipelines)


@lru_cache(maxsize=1)
def _load_once(load: Callable[[], Chooser]) -> Chooser:
    """Load a pipeline, or the pipelines among which a scout chooses; or return what was loaded last."""
    return load()


@dataclass(frozen=True)
class RemotePlane:
    """A reference to a plane of an image, with everything that other processes need to work on it in the same way.

    Args:
        path: path of the image file.
        axes: axes of the image, if the file does not state them; see `open_image`.
        place: index of the plane along each axis before C, Y and X.
        pixel_size_um: height and width of a pixel in µm, if known.
        statistics: intensity statistics of the whole plane.
        pipeline: the bundle's pipeline.
        folder: a folder for intermediate results, which all workers share.
    """

    path: Path
    axes: str | None
    place: tuple[int, ...]
    pixel_size_um: tuple[float, float] | None
    statistics: ImageStatistics
    pipeline: RemotePipeline
    folder: Path

    def answers(self, shape: tuple[int, int], channels: int) -> ZarrChunks:
        """Return the array on disk for the logits of all tiles, N×K×Y×X; each chunk is one channel of one tile."""
        down, across = self.pipeline.tiles.cover(shape)
        count = len(down.starts) * len(across.starts)
        all_tiles = (count, channels, down.size, across.size)
        return ZarrChunks(self.folder / "tiles", all_tiles, np.dtype(np.float32), max(down.size, across.size))

    def maps(self, shape: tuple[int, int], names: Sequence[str], chunk_px: int) -> dict[str, ZarrChunks]:
        """Return the arrays on disk for the maps, by map name; each has its own folder."""
        return {
            name: ZarrChunks(self.folder / f"map_{number}", shape, np.dtype(np.float32), chunk_px)
            for number, name in enumerate(names)
        }

    @contextmanager
    def prepared(self) -> Iterator[PreparedWindows]:
        """Open the plane, prepared for the network window by window, for a `with` block.

        Raises:
            OSError: this process has no access to the shared folder.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"a worker has no access to {self.folder}; choose an --output on a file system that all workers share, "
                "or check whether the run has been stopped"
            )
        with open_image(self.path, axes=self.axes) as image:
            yield prepared_windows(
                image.plane(self.place), self.pipeline.preprocess, self.pixel_size_um, self.statistics
            )


def predict_tiles(plane: RemotePlane, numbers: Sequence[int]) -> int:
    """Run the network on some of a plane's tiles, and write the logits to the shared folder.

    Args:
        plane: the plane.
        numbers: numbers of the tiles, counted from 0 in row-major order.

    Returns:
        The number of output channels.
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
    """Blend the logits of the tiles that cover a block, and write the resulting maps.

    The logits are added in the same order as when the whole plane is blended, so the maps are identical.

    Args:
        plane: the plane, after the logits of all tiles have been written.
        shape: (Y, X) shape of the plane at the scale of the network.
        channels: number of output channels of the network.
        chunk_px: side of the chunks in which the maps are stored, in pixels.
        place: the block, which must consist of whole chunks.
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
    if (margins := plane.statistics.margins) is not None:
        maps["foreground"] = np.where(margins.resampled(shape)(*place), np.float32(0), maps["foreground"])
    for name, array in plane.maps(shape, pipeline.map_names, chunk_px).items():
        array[place] = maps[name]
