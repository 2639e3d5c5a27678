"""A preview of a run: how each image would be read and cut into tiles, and how long the network would take."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cellseg_monai.errors import OF_AN_IMAGE
from cellseg_monai.formats.axes import MisfitAxesError, UnstatedAxesError
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import Job, Reading
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.io import LazyImage, Note, open_image
from cellseg_monai.pixels import Preprocessing, prepared_shape, select_channels

__all__ = ["Understood", "misfits", "seconds_a_px", "settings_text", "understood"]


class Understood(NamedTuple):
    """A description of how an image would be read and cut into tiles.

    Args:
        text: the image's axes, channels, pixel size and tiles, for the user.
        network_px: total number of pixels in the image's tiles, to which the network's computing time is proportional.
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
            pipeline = _chosen(job, image, shape)
            settings, tiles = pipeline.preprocess, pipeline.tiles
            seen = _network_shape(image, settings, size_um)
        except ValueError as error:
            raise ValueError(_refusal(path, error, job.reading.notes_on(image))) from error
        sizes = ", ".join(f"{axis} {length}" for axis, length in zip(image.axes, image.shape, strict=True))
        names = f" ({', '.join(image.channel_names)})" if any(image.channel_names) else ""
        known = f"{size_um[0]:g} × {size_um[1]:g} µm per pixel" if size_um else "pixel size unknown"
        channels = settings.channels if isinstance(settings.channels, str) else ", ".join(map(str, settings.channels))
        scale = "" if seen == shape else f", rescaled to {seen[0]} × {seen[1]}"
        axes = tiles.cover(seen)
        count = math.prod(len(axis.starts) for axis in axes)
        planes = math.prod(image.shape[:-3])
        work = f"{planes} planes, each {count} tile(s)" if planes > 1 else f"{count} tile(s)"
        seen_as = "" if pipeline.sighting is None else f"; {pipeline.text}"
        text = f"{sizes}{names}; {known}{seen_as}; the network sees {channels}{scale}, {work}"
        tile = (axes[0].size, axes[1].size)
        batch = (min(tiles.batch, count), *tile)
        return Understood(text, planes * count * math.prod(tile), batch, job.reading.notes_on(image))


def _chosen(job: Job, image: LazyImage, shape: tuple[int, int]) -> Pipeline:
    """Return the pipeline for the first plane of an image."""
    plane = image.plane(next(iter(image.planes())))
    return job.pipeline.choose(lambda rows, columns: plane[:, rows, columns], shape, image.channel_names)


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
