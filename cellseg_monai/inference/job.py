"""Many images segmented into a folder: read ahead, the network without a pause, written behind."""

from __future__ import annotations

import math
import shutil
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from cellseg_monai.errors import OF_AN_IMAGE
from cellseg_monai.exports import Segmentation, chosen_exports
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.large_plane import LazyPixels, Progress, segment_large
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.plane import Plane, prepared_plane, segment_plane
from cellseg_monai.inference.results import ImageResults
from cellseg_monai.io import LazyImage, open_image
from cellseg_monai.pixels import prepared_shape
from cellseg_monai.prefetch import prefetch

__all__ = ["UNFINISHED", "Done", "Failed", "Job", "Reading"]

UNFINISHED = ".unfinished"

# So many planes become objects, or are about to, while the network has each lane busy with others; more would mostly
# wait for each other, as one thread at a time has Python's lock.
_BESIDE = 2


@dataclass(frozen=True)
class Reading:
    """How image files are understood, where they do not say themselves.

    Args:
        axes: see `io.read`.
        pixel_size_um: (y, x); wins over what a file says.
    """

    axes: str | None = None
    pixel_size_um: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.pixel_size_um is not None and not all(math.isfinite(size) and size > 0 for size in self.pixel_size_um):
            size = self.pixel_size_um[0] if len(set(self.pixel_size_um)) == 1 else self.pixel_size_um
            raise ValueError(f"a pixel size of {size} µm came, but a length above 0 was expected; correct it")


@dataclass(frozen=True)
class Done:
    """An image that was segmented.

    Args:
        image: which.
        sha256: of its file or folder; see `data.digest.image_digest`.
        axes: as it was read, and `shape`.
        objects: how many were found.
        files: what was written.
        seconds: from its opening to the end of the writing, others being under way at the same time.
    """

    image: ImageFile
    sha256: str
    axes: str
    shape: tuple[int, ...]
    objects: int
    files: tuple[Path, ...]
    seconds: float


@dataclass(frozen=True)
class Failed:
    """An image that was not segmented, and why."""

    image: ImageFile
    reason: str


class SegmentLarge(Protocol):
    """How a plane that is not held in memory is segmented, as `segment_large` is called."""

    def __call__(
        self,
        pixels: LazyPixels,
        pipeline: Pipeline,
        scratch: Path,
        *,
        name: str = ...,
        pixel_size_um: tuple[float, float] | None = ...,
        progress: Progress | None = ...,
    ) -> Segmentation:
        """The objects of the plane; what they lie in is in the folder `scratch`."""


@dataclass(frozen=True)
class Job:
    """What is done with each image.

    Args:
        pipeline: of the bundle.
        output: the folder for the results.
        exports: names of `exports.EXPORTS`.
        reading: how files are understood.
        large_px: planes of more pixels are not held in memory, but segmented tile by tile and block by block, with
            what they take on the way on the disk of the output.
        progress: called with the number of pixels of a large image that the network has seen since, and of all that it
            will see of it.
        large: how large planes are segmented.
        aside: the folder within the output for what is unfinished, of this job alone.
    """

    pipeline: Pipeline
    output: Path
    exports: Sequence[str] = ("labels", "csv")
    reading: Reading = field(default_factory=Reading)
    large_px: int = 2**23
    progress: Progress | None = None
    large: SegmentLarge = segment_large
    aside: str = UNFINISHED

    def __post_init__(self) -> None:
        object.__setattr__(self, "exports", chosen_exports(self.exports))

    def run(self, images: Sequence[ImageFile]) -> Generator[Done | Failed, None, None]:
        """Segment images one after the other; one that fails does not stop the others.

        While the network sees some planes, the next is read, objects are made of others and the one before is written,
        in threads of their own. Who stops early closes this generator: what is being written then is whole, or is not
        there.

        Yields:
            What became of each image, in their order.

        Raises:
            Exception: a fault of this program, rather than of an image; see `errors.OF_AN_IMAGE`.
        """
        waiting: deque[tuple[Future[Done | Failed | None], int]] = deque()
        count = self.pipeline.lanes
        # As many as have each lane busy while others become objects; of the largest, one more than there are lanes.
        most, most_px = count + _BESIDE + 1, (count + 1) * self.large_px
        with (
            self._aside(),
            _threads("cellseg-beside", count + _BESIDE) as beside,
            _threads("cellseg-behind", 1) as behind,
            closing(prefetch(self._work(images))) as works,
            Lanes(count) as lanes,  # closed first, so that a run that is ended does not wait for what nobody takes
        ):
            for work in works:
                is_large = isinstance(work, _Work) and work.plane is None
                size_px = work.size_px if isinstance(work, _Work) else 0
                # A large plane takes the lanes, and long: what comes before it is done by then, and known to be.
                while waiting and (
                    is_large
                    or waiting[0][0].done()
                    or len(waiting) > most
                    or size_px + sum(other_px for _, other_px in waiting) > most_px
                ):
                    if (outcome := waiting.popleft()[0].result()) is not None:
                        yield outcome
                if not is_large:
                    done = behind.submit(self._finish, work, beside.submit(self._found, work, lanes))
                    waiting.append((done, size_px))
                elif isinstance(work, _Work) and (outcome := self._segment_large(work)) is not None:
                    yield outcome
            for last, _ in waiting:
                if (outcome := last.result()) is not None:
                    yield outcome

    def is_large(self, image: LazyImage) -> bool:
        """Whether its planes are not held in memory: as they are, or as the network sees them."""
        shape = (image.shape[-2], image.shape[-1])
        seen = shape
        with suppress(ValueError):  # the image lacks a pixel size, or more, which is told where it is prepared
            seen = prepared_shape(
                shape, self.pipeline.preprocess, pixel_size_um=self.reading.pixel_size_um or image.pixel_size_um
            )
        return max(math.prod(shape), math.prod(seen)) > self.large_px

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """The folder for what is unfinished, which a run that was killed may have left."""
        aside = self.output / self.aside
        shutil.rmtree(aside, ignore_errors=True)
        try:
            yield
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _work(self, images: Sequence[ImageFile]) -> Iterator[_Work | Failed]:
        for image in images:
            try:
                sha256 = image.sha256
                with open_image(image.path, axes=self.reading.axes) as opened:
                    folder, aside = self.output / image.below, self.output / self.aside / uuid4().hex
                    results = ImageResults(folder, aside, image.path.name, opened, self.exports)
                    for place in opened.planes():
                        if results.failed:
                            break
                        plane = None if self.is_large(opened) else self._prepared(results, opened, place)
                        yield _Work(image, sha256, results, place, plane)
            except OF_AN_IMAGE as error:
                yield Failed(image, _reason(error, image.path))

    def _prepared(self, results: ImageResults, opened: LazyImage, place: tuple[int, ...]) -> Plane | Exception:
        """A plane ready for the network, or why it is not: one that fails ends its image, in its turn."""
        try:
            return prepared_plane(
                opened.window(place),
                self.pipeline,
                name=results.name_of(place),
                channel_names=opened.channel_names,
                pixel_size_um=self.reading.pixel_size_um or opened.pixel_size_um,
            )
        except OF_AN_IMAGE as error:
            results.failed = True
            return error

    def _found(self, work: _Work | Failed, lanes: Lanes) -> Segmentation | Exception | None:
        """The objects of a plane, or why there are none; None where that is known without a look."""
        if isinstance(work, Failed):
            return None
        if not isinstance(work.plane, Plane) or work.results.failed:
            return work.plane if isinstance(work.plane, Exception) else None
        try:
            return segment_plane(work.plane, self.pipeline, lanes)
        except OF_AN_IMAGE as error:
            return error

    def _finish(self, work: _Work | Failed, found: Future[Segmentation | Exception | None]) -> Done | Failed | None:
        if isinstance(work, Failed):
            return work
        results, made = work.results, found.result()
        if made is None or results.dropped or (results.failed and not isinstance(made, Exception)):
            return None  # the plane that failed tells why
        try:
            if isinstance(made, Exception):
                raise made
            return work.done(results.add(work.place, made))
        except OF_AN_IMAGE as error:
            results.drop()
            return Failed(work.image, _reason(error, work.image.path))

    def _segment_large(self, work: _Work) -> Done | Failed | None:
        results = work.results
        if results.dropped:
            return None
        # Beside the results, where there is room for them, rather than in a system's small temporary folder.
        scratch = self.output / self.aside / uuid4().hex
        planes = math.prod(results.shape[:-3])

        def progress(seen_px: int, plane_px: int) -> None:
            if self.progress is not None:
                self.progress(seen_px, plane_px * planes)

        try:
            scratch.mkdir(parents=True)
            with open_image(work.image.path, axes=self.reading.axes) as opened:
                segmentation = self.large(
                    LazyPixels(opened, work.place),
                    self.pipeline,
                    scratch,
                    name=results.name_of(work.place),
                    pixel_size_um=self.reading.pixel_size_um or opened.pixel_size_um,
                    progress=progress,
                )
                return work.done(results.add(work.place, segmentation))
        except OF_AN_IMAGE as error:
            results.drop()
            return Failed(work.image, _reason(error, work.image.path))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _threads(name: str, count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with what they have begun, when they are no longer wanted."""
    threads = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


@dataclass(frozen=True, eq=False)
class _Work:
    image: ImageFile
    sha256: str
    results: ImageResults
    place: tuple[int, ...]
    plane: Plane | Exception | None  # None: too large to be held

    @property
    def size_px(self) -> int:
        """Pixels of the plane that is held, as the network sees it or as it was measured, whichever are more."""
        if not isinstance(self.plane, Plane):
            return 0
        return max(math.prod(each.shape[1:]) for each in (self.plane.pixels, self.plane.prepared))

    def done(self, written: tuple[Path, ...] | None) -> Done | None:
        """What became of the image, once all of its planes are written."""
        if written is None:
            return None
        results, seconds = self.results, time.perf_counter() - self.results.begun
        return Done(self.image, self.sha256, results.axes, results.shape, results.objects, written, seconds)


def _reason(error: Exception, path: Path) -> str:
    """Why an image was not segmented, in one line that begins with its name."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        return f"{path}: {where}{error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.startswith(str(path)) else f"{path}: {text}"
