"""Many images segmented into a folder: read ahead, the network without a pause, written behind."""

from __future__ import annotations

import math
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from cellseg_monai.data.digest import image_digest
from cellseg_monai.inference.ahead import ahead
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.plane import Plane, objects_of, prepared_plane
from cellseg_monai.inference.recipe import Recipe
from cellseg_monai.inference.results import ImageResults
from cellseg_monai.inference.tiled import predict
from cellseg_monai.io import LazyImage, chosen_exports, open_image

__all__ = ["Done", "Failed", "Job", "Reading"]

_T = TypeVar("_T")

UNFINISHED = ".unfinished"

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


@dataclass(frozen=True)
class Job:
    """What is done with each image.

    Args:
        recipe: of the bundle.
        output: the folder for the results.
        exports: names of `io.EXPORTS`.
        reading: how files are understood.
    """

    recipe: Recipe
    output: Path
    exports: Sequence[str] = ("labels", "csv")
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exports", chosen_exports(self.exports))

    def run(self, images: Sequence[ImageFile]) -> Iterator[Done | Failed]:
        """Segment images one after the other; one that fails does not stop the others.

        While the network sees a plane, the next is read and the one before is written, each in a thread of its own.

        Yields:
            What became of each image, in their order.
        """
        waiting: deque[Future[Done | Failed | None]] = deque()
        with self._aside(), ThreadPoolExecutor(1, thread_name_prefix="cellseg-behind") as behind:
            for work in ahead(self._work(images)):
                waiting.append(behind.submit(self._finish, work, self._logits(work)))
                while waiting and (waiting[0].done() or len(waiting) > 2):
                    if (outcome := waiting.popleft().result()) is not None:
                        yield outcome
            for last in waiting:
                if (outcome := last.result()) is not None:
                    yield outcome

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """The folder for what is unfinished, which a run that was killed may have left."""
        aside = self.output / UNFINISHED
        shutil.rmtree(aside, ignore_errors=True)
        try:
            yield
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _work(self, images: Sequence[ImageFile]) -> Iterator[_Work | Failed]:
        for image in images:
            try:
                sha256 = image_digest(image.path)
                with open_image(image.path, axes=self.reading.axes) as opened:
                    folder, aside = self.output / image.below, self.output / UNFINISHED / uuid4().hex
                    results = ImageResults(folder, aside, image.path.name, opened, self.exports)
                    for place in opened.planes():
                        if results.failed:
                            break
                        yield _Work(image, sha256, results, place, self._prepared(results, opened, place))
            except _OF_AN_IMAGE as error:
                yield Failed(image, _reason(error, image.path))

    def _prepared(self, results: ImageResults, opened: LazyImage, place: tuple[int, ...]) -> Plane | Exception:
        """A plane ready for the network, or why it is not: one that fails ends its image, in its turn."""
        try:
            return prepared_plane(
                opened.window(place),
                self.recipe,
                name=results.name_of(place),
                channel_names=opened.channel_names,
                pixel_size_um=self.reading.pixel_size_um or opened.pixel_size_um,
            )
        except _OF_AN_IMAGE as error:
            results.failed = True
            return error

    def _logits(self, work: _Work | Failed) -> Any:
        if isinstance(work, Failed) or isinstance(work.plane, Exception) or work.results.failed:
            return None
        try:
            return predict(work.plane.prepared, self.recipe.asked, self.recipe.tiles)
        except _OF_AN_IMAGE as error:
            return error

    def _finish(self, work: _Work | Failed, logits: Any) -> Done | Failed | None:
        if isinstance(work, Failed):
            return work
        results, failed_here = work.results, any(isinstance(each, Exception) for each in (work.plane, logits))
        if results.dropped or (results.failed and not failed_here):  # the plane that failed tells why
            return None
        try:
            written = results.add(work.place, objects_of(_sound(work.plane), _sound(logits), self.recipe))
        except _OF_AN_IMAGE as error:
            results.drop()
            return Failed(work.image, _reason(error, work.image.path))
        if written is None:
            return None
        seconds = time.perf_counter() - results.begun
        return Done(work.image, work.sha256, results.axes, results.shape, results.objects, written, seconds)


@dataclass(frozen=True, eq=False)
class _Work:
    image: ImageFile
    sha256: str
    results: ImageResults
    place: tuple[int, ...]
    plane: Plane | Exception


def _sound(made: _T | Exception) -> _T:
    if isinstance(made, Exception):
        raise made
    return made


def _reason(error: Exception, path: Path) -> str:
    """Why an image was not segmented, in one line that begins with its name."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        return f"{path}: {where}{error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.startswith(str(path)) else f"{path}: {text}"
