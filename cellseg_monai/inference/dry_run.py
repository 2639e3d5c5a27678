"""A preview of a run: how each image would be read and cut into tiles, and how long the network would take."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cellseg_monai.errors import OF_AN_IMAGE
from cellseg_monai.formats.axes import MisfitAxesError, UnstatedAxesError
from cellseg_monai.inference.choices import choices_text
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import Job, Reading
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.scouted import choose_for_planes
from cellseg_monai.io import LazyImage, LazyPlane, Note, open_image
from cellseg_monai.pixels import Preprocessing, prepared_shape, select_channels

__all__ = ["Understood", "misfits", "seconds_a_px", "settings_text", "understood"]


class Understood(NamedTuple):
    """A description of how an image would be read and cut into tiles.

    Args:
        text: the image's axes, channels, pixel size and tiles, for the user.
        network_px: total number of pixels in the image's tiles, to which the network's computing time is proportional;
            if its planes differ, from the mean of those that were looked at.
        batch: number of tiles in a batch, and height and width of a tile in pixels.
        notes: notes on the image; see `io.Note`.
    """

    text: str
    network_px: int
    batch: tuple[int, int, int]
    notes: tuple[Note, ...] = ()


def settings_text(job: Job) -> str:
    """Describe what `job` does with every image, in one line."""
    pipeline = job.pipeline.largest
    tiles = pipeline.tiles
    height, width = tiles.size
    views = ", eight views each" if pipeline.tta else ""
    bundle = f"{pipeline.bundle} {pipeline.version}" if job.pipeline is pipeline else "the bundle that suits each image"
    return (
        f"{bundle} with {pipeline.precision}; tiles of up to {height} × {width} px{views}, "
        f"which overlap by at least {tiles.overlap} px, {tiles.batch} at a time; each image becomes "
        f"{', '.join(job.exports)}"
    )


def understood(path: Path, job: Job) -> Understood:
    """Describe how a job would read an image and cut it into tiles, without segmenting the image.

    Args:
        path: image file or OME-Zarr.
        job: the job.

    Raises:
        ValueError: the image has no pixels, or lacks a channel or the pixel size that the bundle needs.
        UnreadableImageError: the image cannot be read.
    """
    with open_image(path, axes=job.reading.axes) as image:
        shape = (image.shape[-2], image.shape[-1])
        if 0 in shape:
            raise ValueError(f"{path}: the image has no pixels (its shape is {image.shape}); export it again")
        size_um = job.reading.pixel_size_um or image.pixel_size_um
        try:
            pipelines = _chosen(job, image, shape)
            works = [_Work.of(pipeline, _network_shape(image, pipeline.preprocess, size_um)) for pipeline in pipelines]
        except ValueError as error:
            raise ValueError(_refusal(path, error, job.reading.notes_on(image))) from error
        sizes = ", ".join(f"{axis} {length}" for axis, length in zip(image.axes, image.shape, strict=True))
        names = f" ({', '.join(image.channel_names)})" if any(image.channel_names) else ""
        known = f"{size_um[0]:g} × {size_um[1]:g} µm per pixel" if size_um else "pixel size unknown"
        settings = pipelines[0].preprocess
        channels = settings.channels if isinstance(settings.channels, str) else ", ".join(map(str, settings.channels))
        shapes = " or ".join(dict.fromkeys(f"{work.seen[0]} × {work.seen[1]}" for work in works))
        scale = "" if all(work.seen == shape for work in works) else f", rescaled to {shapes}"
        counts = " or ".join(dict.fromkeys(f"{work.tiles} tile(s)" for work in works))
        planes = math.prod(image.shape[:-3])
        choices = [pipeline.choice() for pipeline in pipelines]
        seen_as = f"; {choices_text(choices)}" if all(choices) else ""
        each = f"{planes} planes, each " if planes > 1 else ""
        text = f"{sizes}{names}; {known}{seen_as}; the network sees {channels}{scale}, {each}{counts}"
        network_px = planes * sum(work.network_px for work in works) // len(works)
        batch = max(works, key=lambda work: work.network_px).batch
        return Understood(text, network_px, batch, job.reading.notes_on(image))


class _Work(NamedTuple):
    """The sizes of a plane and of a batch, as the network would process them.

    Args:
        seen: height and width of the plane at the scale of the network.
        tiles: number of its tiles.
        batch: see `Understood`.
    """

    seen: tuple[int, int]
    tiles: int
    batch: tuple[int, int, int]

    @classmethod
    def of(cls, pipeline: Pipeline, seen: tuple[int, int]) -> _Work:
        down, across = pipeline.tiles.cover(seen)
        count = len(down.starts) * len(across.starts)
        return cls(seen, count, (min(pipeline.tiles.batch, count), down.size, across.size))

    @property
    def network_px(self) -> int:
        """Number of pixels in all tiles."""
        return self.tiles * math.prod(self.batch[1:])


def _chosen(job: Job, image: LazyImage, shape: tuple[int, int]) -> Sequence[Pipeline]:
    """Return the pipeline of all planes of an image, or those of the planes that were looked at, if they differ."""
    planes = [image.plane(place) for place in image.planes()]
    reads = [partial(_window, plane) for plane in planes]
    choose = choose_for_planes(job.pipeline, reads, shape, image.channel_names)
    return list(choose.seen.values()) if choose.shared is None else [choose.shared]


def _window(plane: LazyPlane, rows: slice, columns: slice) -> np.ndarray:
    return plane[:, rows, columns]


def misfits(images: Sequence[ImageFile], settings: Preprocessing, reading: Reading) -> list[str]:
    """Return one reason for each image if all images are unsuitable, and an empty list otherwise.

    An image is unsuitable if its axes are unknown or wrong, or if it lacks a channel or the pixel size that the bundle
    needs.

    Args:
        images: the images, which are opened one after the other until one is suitable.
        settings: how the bundle prepares images, which determines what it needs.
        reading: axes and pixel size for files that lack them.

    Returns:
        One message per image. The list is also empty if an image fails for any other reason, which the run will report.
    """
    reasons = []
    for file in images:
        try:
            with open_image(file.path, axes=reading.axes) as image:
                if 0 in image.shape:
                    return []
                try:
                    _network_shape(image, settings, reading.pixel_size_um or image.pixel_size_um)
                except ValueError as error:
                    reasons.append(_refusal(file.path, error, reading.notes_on(image)))
                    continue
        except (MisfitAxesError, UnstatedAxesError) as error:
            reasons.append(str(error))
            continue
        except OF_AN_IMAGE:
            pass
        return []
    return reasons


def _refusal(path: Path, error: ValueError, notes: Sequence[Note]) -> str:
    """Return the reason why an image is rejected, with the image's notes, which can explain what is missing."""
    return f"{path}: {error}{''.join(f' (note: {note.text})' for note in notes)}"


def _network_shape(image: LazyImage, settings: Preprocessing, size_um: tuple[float, float] | None) -> tuple[int, int]:
    """Return the height and width, in pixels, of an image at the scale of the network.

    Raises:
        ValueError: the image lacks a channel or the pixel size that the bundle needs.
    """
    # A single pixel can stand in for the image here, because selecting channels does not depend on pixel values.
    pixel = np.zeros((image.shape[-3], 1, 1), image.dtype)
    select_channels(pixel, settings.channels, channel_names=image.channel_names)
    return prepared_shape((image.shape[-2], image.shape[-1]), settings, pixel_size_um=size_um)


def seconds_a_px(pipeline: Pipeline, batch: tuple[int, int, int]) -> float:
    """Measure how many seconds the network takes per pixel.

    Every lane runs a batch twice. Only the second round is timed, because the first batches take longer.

    Args:
        pipeline: the bundle's pipeline.
        batch: number of tiles in a batch, and height and width of a tile in pixels; see `Understood`.

    Raises:
        MemoryError: the batch does not fit on the device.
    """
    count, *tile = batch
    shape = (count, pipeline.preprocess.channel_count, *tile)
    batches: list[np.ndarray] = [np.zeros(shape, np.float32)] * pipeline.lanes
    with Lanes(pipeline.lanes) as lanes:
        for _ in range(2):
            begun = time.perf_counter()
            for _ in lanes.answers(pipeline.augmented_network, batches):
                pass
    return (time.perf_counter() - begun) / (pipeline.lanes * math.prod(batch))
