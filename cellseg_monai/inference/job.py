"""Segmenting many images into a folder, with reading, labelling and writing in parallel."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from cellseg_monai.errors import OF_AN_IMAGE
from cellseg_monai.exports import Segmentation, chosen_exports
from cellseg_monai.formats.notes import open_notes
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.large_plane import Progress, segment_large
from cellseg_monai.inference.outcomes import Done, Failed
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.plane import prepared_plane, segment_plane
from cellseg_monai.inference.plane_states import Broken, Dropped, Ready, Segmented, TooLarge
from cellseg_monai.inference.results import ImageResults
from cellseg_monai.inference.scouted import Chooser, Reader, choose_for_planes
from cellseg_monai.inference.stages import Stages
from cellseg_monai.inference.unfinished import UNFINISHED, new_name, unfinished_folder
from cellseg_monai.io import LazyImage, LazyPlane, Note, open_image
from cellseg_monai.pixels import prepared_shape
from cellseg_monai.prefetch import prefetch

__all__ = ["Job", "Reading", "SegmentLarge"]


@dataclass(frozen=True)
class Reading:
    """The axes and pixel size to use when reading image files.

    Args:
        axes: axes of the images, see `io.read`; None if the files state them.
        pixel_size_um: height and width of a pixel in µm, used instead of the pixel size in the file.

    Raises:
        ValueError: the pixel size is not a positive number.
    """

    axes: str | None = None
    pixel_size_um: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.pixel_size_um is not None and not all(math.isfinite(size) and size > 0 for size in self.pixel_size_um):
            size = self.pixel_size_um[0] if len(set(self.pixel_size_um)) == 1 else self.pixel_size_um
            raise ValueError(f"got a pixel size of {size} µm, expected a positive number; pass the pixel size in µm")

    def notes_on(self, image: LazyImage) -> tuple[Note, ...]:
        """Return the notes on an open image, without a note on the pixel size if `pixel_size_um` overrides it."""
        return open_notes(image.notes, self.pixel_size_um)


class SegmentLarge(Protocol):
    """A function that segments a plane too large to fit in memory, such as `segment_large`."""

    def __call__(
        self,
        pixels: LazyPlane,
        pipeline: Pipeline,
        scratch: Path,
        *,
        name: str = ...,
        pixel_size_um: tuple[float, float] | None = ...,
        progress: Progress | None = ...,
    ) -> Segmentation:
        """Return the objects in the plane; their labels can be stored in the folder `scratch`."""


@dataclass(frozen=True)
class Job:
    """Everything needed to segment images with a bundle and write the results to a folder.

    Args:
        pipeline: the bundle's pipeline, or the pipelines among which a scout chooses.
        output: folder for the results.
        exports: names of the exports to write, from `exports.EXPORTS`.
        reading: axes and pixel size for files that lack them.
        large_px: size in pixels of the largest planes that are held in memory. Larger planes are segmented tile by tile
            and block by block, with intermediate results in the output folder.
        progress: called while a large image is being segmented, with the number of pixels that the network has seen
            since the last call and the total number in all planes of the image.
        large: function that segments large planes.
        unfinished: name of the subfolder of the output folder for unfinished files, not shared with any other job.
    """

    pipeline: Chooser
    output: Path
    exports: Sequence[str] = ("labels", "csv")
    reading: Reading = field(default_factory=Reading)
    large_px: int = 2**23
    progress: Progress | None = None
    large: SegmentLarge = segment_large
    unfinished: str = UNFINISHED

    def __post_init__(self) -> None:
        object.__setattr__(self, "exports", chosen_exports(self.exports))

    def run(self, images: Sequence[ImageFile]) -> Generator[Done | Failed, None, None]:
        """Segment images; if one fails, the others are still segmented.

        Reading, the network, labelling and writing run in separate threads, so they can work on different planes at the
        same time. A plane that is too large for memory is segmented on its own. To stop early, close the generator; an
        image then has either all of its result files or none.

        Yields:
            The outcome of each image, in order.

        Raises:
            FileExistsError: the folder for unfinished files is a link or a file.
            Exception: there is a bug in this program, rather than a faulty image; see `errors.OF_AN_IMAGE`.
        """
        stages: Stages[Ready | Broken, Segmented | Broken | Dropped, Done | Failed]
        stages = Stages(self._label, self._write, lanes=self.pipeline.lanes, largest_px=self.large_px)
        unfinished = unfinished_folder(self.output / self.unfinished)
        with unfinished, stages, closing(prefetch(self._planes(images))) as planes:
            for plane in planes:
                if not isinstance(plane, TooLarge):
                    yield from stages.put(plane, size_px=plane.size_px)
                    continue
                yield from stages.drain()
                if (outcome := self._segment_large(plane)) is not None:
                    yield outcome
            yield from stages.drain()

    def is_large(self, image: LazyImage, pipeline: Pipeline | None = None) -> bool:
        """Return True if the image's planes are too large for memory, either in the file or at the network's scale.

        Args:
            image: the image.
            pipeline: the pipeline chosen for it; None to judge only by the file, if a scout will choose.
        """
        file_shape = network_shape = (image.shape[-2], image.shape[-1])
        if pipeline is None and isinstance(self.pipeline, Pipeline):
            pipeline = self.pipeline
        if pipeline is not None:
            with suppress(ValueError):  # such as a missing pixel size, which is reported when the image is prepared
                network_shape = prepared_shape(
                    file_shape, pipeline.preprocess, pixel_size_um=self.reading.pixel_size_um or image.pixel_size_um
                )
        return max(math.prod(file_shape), math.prod(network_shape)) > self.large_px

    def _new_folder(self) -> Path:
        """Return a new, unique path for a folder of unfinished files, without creating the folder."""
        return self.output / self.unfinished / new_name()

    def _planes(self, images: Sequence[ImageFile]) -> Iterator[Ready | TooLarge | Broken]:
        """Read and prepare the planes of every image; after a plane that fails, skip the rest of its image."""
        for file in images:
            results = None
            try:
                _ = file.sha256  # computed now, before the file is read, and cached
                with open_image(file.path, axes=self.reading.axes) as image:
                    results = ImageResults(
                        file,
                        image,
                        folder=self.output / file.below,
                        unfinished=self._new_folder(),
                        exports=self.exports,
                        notes=self.reading.notes_on(image),
                    )
                    choose = self._chooser(file, image, results.planes)
                    for number, place in enumerate(results.planes):
                        if results.is_abandoned:
                            break
                        yield self._plane(results, image, place, partial(choose, number))
            except OF_AN_IMAGE as error:
                yield Broken(file, error, results)

    def _chooser(
        self, file: ImageFile, image: LazyImage, places: Sequence[tuple[int, ...]]
    ) -> Callable[[int, Reader], Pipeline]:
        """Return a function that returns the pipeline of a plane, given its number and a function that reads it."""
        if file.choices and not isinstance(self.pipeline, Pipeline):
            repeated = [self.pipeline.repeated(choice) for choice in file.choices]
            return lambda number, _: repeated[number]
        shape = (image.shape[-2], image.shape[-1])
        if len(places) == 1:
            return lambda _, read: self.pipeline.choose(read, shape, image.channel_names)
        reads = [_reader(image.plane(place)) for place in places]
        return choose_for_planes(self.pipeline, reads, shape, image.channel_names)

    def _plane(
        self, results: ImageResults, image: LazyImage, place: tuple[int, ...], choose: Callable[[Reader], Pipeline]
    ) -> Ready | TooLarge:
        """Choose the pipeline of a plane, and read the plane unless it is too large."""
        shape = (image.shape[-2], image.shape[-1])
        pixels = image.window(place) if math.prod(shape) <= self.large_px else image.plane(place)
        pipeline = choose(_reader(pixels))
        if isinstance(pixels, LazyPlane) or self.is_large(image, pipeline):
            return TooLarge(results, place, pipeline)
        plane = prepared_plane(
            pixels,
            pipeline,
            name=results.name_of(place),
            channel_names=image.channel_names,
            pixel_size_um=self.reading.pixel_size_um or image.pixel_size_um,
        )
        return Ready(results, place, plane, pipeline)

    def _label(self, state: Ready | Broken, lanes: Lanes) -> Segmented | Broken | Dropped:
        if isinstance(state, Broken):
            return state
        if state.results.is_abandoned:
            return Dropped()
        try:
            return Segmented(state.results, state.place, segment_plane(state.plane, state.pipeline, lanes))
        except OF_AN_IMAGE as error:
            return Broken(state.results.file, error, state.results)

    def _write(self, state: Segmented | Broken | Dropped) -> Done | Failed | None:
        """Write a plane, and return the outcome of its image if this plane was the last or failed."""
        if isinstance(state, Broken):
            return state.outcome()
        if isinstance(state, Dropped) or state.results.is_abandoned:
            return None
        try:
            return state.results.add(state.place, state.segmentation)
        except OF_AN_IMAGE as error:
            return state.results.fail(error)

    def _segment_large(self, state: TooLarge) -> Done | Failed | None:
        """Segment and write a large plane; return the outcome of its image if this plane was the last or failed."""
        results = state.results
        if results.is_abandoned:
            return None
        # In the output folder, because the system's temporary folder may be too small.
        scratch = self._new_folder()

        def progress(seen_px: int, plane_px: int) -> None:
            if self.progress is not None:
                self.progress(seen_px, plane_px * len(results.planes))

        try:
            scratch.mkdir(parents=True)
            with open_image(results.file.path, axes=self.reading.axes) as image:
                segmentation = self.large(
                    image.plane(state.place),
                    state.pipeline,
                    scratch,
                    name=results.name_of(state.place),
                    pixel_size_um=self.reading.pixel_size_um or image.pixel_size_um,
                    progress=progress,
                )
                return results.add(state.place, segmentation)
        except OF_AN_IMAGE as error:
            return results.fail(error)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _reader(plane: np.ndarray | LazyPlane) -> Reader:
    """Return a function that reads the C×Y×X pixels of a plane in the given rows and columns."""
    return lambda rows, columns: plane[:, rows, columns]
