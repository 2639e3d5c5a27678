"""Many images segmented into a folder: read ahead, the network without a pause, written behind."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cellseg_monai.data.digest import file_digest
from cellseg_monai.inference.ahead import ahead
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.large import LazyPixels, segment_large
from cellseg_monai.inference.plane import Plane, objects_of, prepared_plane
from cellseg_monai.inference.recipe import Recipe
from cellseg_monai.inference.stack import StackWriter, plane_name
from cellseg_monai.inference.tiled import predict
from cellseg_monai.io import LazyImage, chosen_exports, open_image

__all__ = ["Done", "Failed", "Job", "Reading"]

# Errors that are of one image; whatever else is a fault of this program, and ends it.
_OF_AN_IMAGE = (ValueError, OSError, MemoryError)


@dataclass(frozen=True)
class Reading:
    """How image files are understood, where they do not say themselves.

    Args:
        axes: see `io.read`.
        pixel_size_um: (y, x); wins over what a file says.
    """

    axes: str | None = None
    pixel_size_um: tuple[float, float] | None = None


@dataclass(frozen=True)
class Done:
    """An image that was segmented.

    Args:
        image: which.
        sha256: of its file; "" for a folder.
        axes: as it was read, and `shape`.
        objects: how many were found.
        files: what was written.
        seconds: from the end of the reading to the end of the writing.
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


@dataclass(frozen=True)
class Job:
    """What is done with each image.

    Args:
        recipe: of the bundle.
        output: the folder for the results.
        exports: names of `io.EXPORTS`.
        reading: how files are understood.
        large_px: planes of more pixels are not held in memory, but segmented band by band and block by block, with
            what they take on the way on the disk of the output.
        told: called with the number of pixels of a large plane that the network has seen since.
    """

    recipe: Recipe
    output: Path
    exports: Sequence[str] = ("labels", "csv")
    reading: Reading = field(default_factory=Reading)
    large_px: int = 2**23
    told: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "exports", chosen_exports(self.exports))

    def run(self, images: Sequence[ImageFile]) -> Iterator[Done | Failed]:
        """Segment images one after the other; one that fails does not stop the others.

        While the network sees a plane, the next is read and the one before is written, each in a thread of its own.

        Yields:
            What became of each image, in their order.
        """
        waiting: deque[Future[Done | Failed | None]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="cellseg-behind") as behind:
            for work in ahead(self._work(images)):
                if isinstance(work, Failed):
                    waiting.append(_settled(work))
                elif isinstance(work, _Work):
                    waiting.append(behind.submit(self._finish, work, self._logits(work)))
                else:
                    waiting.append(_settled(self._segment_large(work)))
                while waiting and (waiting[0].done() or len(waiting) > 2):
                    if (outcome := waiting.popleft().result()) is not None:
                        yield outcome
            for last in waiting:
                if (outcome := last.result()) is not None:
                    yield outcome

    def _work(self, images: Sequence[ImageFile]) -> Iterator[_Work | _Large | Failed]:
        for image in images:
            try:
                sha256 = "" if image.path.is_dir() else file_digest(image.path)
                with open_image(image.path, axes=self.reading.axes) as opened:
                    writer = StackWriter(self.output / image.below, image.path.name, opened, self.exports)
                    for place in opened.planes():
                        if opened.shape[-2] * opened.shape[-1] > self.large_px:
                            yield _Large(image=image, sha256=sha256, writer=writer, place=place)
                            continue
                        plane = self._prepared(image, opened, place)
                        yield _Work(image=image, sha256=sha256, writer=writer, place=place, plane=plane)
            except _OF_AN_IMAGE as error:
                yield Failed(image, _reason(error, image.path))

    def _prepared(self, image: ImageFile, opened: LazyImage, place: tuple[int, ...]) -> Plane:
        return prepared_plane(
            opened.window(place),
            self.recipe,
            name=plane_name(image.path.name, opened.axes, place),
            channel_names=opened.channel_names,
            pixel_size_um=self.reading.pixel_size_um or opened.pixel_size_um,
        )

    def _logits(self, work: _Work) -> Any:
        return predict(work.plane.prepared, self.recipe.asked, self.recipe.tiles)

    def _segment_large(self, work: _Large) -> Done | Failed | None:
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            # Beside the results, where there is room for them, rather than in a system's small temporary folder.
            with (
                TemporaryDirectory(prefix=".scratch-", dir=self.output) as scratch,
                open_image(work.image.path, axes=self.reading.axes) as opened,
            ):
                segmentation = segment_large(
                    LazyPixels(opened, work.place),
                    self.recipe,
                    Path(scratch),
                    name=plane_name(work.image.path.name, opened.axes, work.place),
                    pixel_size_um=self.reading.pixel_size_um or opened.pixel_size_um,
                    told=self.told,
                )
                return work.done(work.writer.add(work.place, segmentation))
        except _OF_AN_IMAGE as error:
            return Failed(work.image, _reason(error, work.image.path))

    def _finish(self, work: _Work, logits: Any) -> Done | Failed | None:
        try:
            return work.done(work.writer.add(work.place, objects_of(work.plane, logits, self.recipe)))
        except _OF_AN_IMAGE as error:
            return Failed(work.image, _reason(error, work.image.path))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Large:
    """A plane that is to be segmented; one that is too large to be held is read on the way."""

    image: ImageFile
    sha256: str
    writer: StackWriter
    place: tuple[int, ...]
    begun: float = field(default_factory=time.perf_counter)

    def done(self, written: tuple[Path, ...] | None) -> Done | None:
        """What became of the image, once all of its planes are written."""
        if written is None:
            return None
        seconds = time.perf_counter() - self.begun
        writer = self.writer
        return Done(self.image, self.sha256, writer.axes, writer.shape, writer.objects, written, seconds)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Work(_Large):
    """A plane that is held."""

    plane: Plane


def _settled(outcome: Done | Failed | None) -> Future[Done | Failed | None]:
    future: Future[Done | Failed | None] = Future()
    future.set_result(outcome)
    return future


def _reason(error: BaseException, path: Path) -> str:
    text = str(error) or type(error).__name__
    return text if str(path) in text else f"{path}: {text}"
