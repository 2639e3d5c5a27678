"""A description of how an image would be read and cut, before anything is done."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cellseg_monai.errors import OF_AN_IMAGE
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import Job, Reading
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.io import LazyImage, open_image
from cellseg_monai.io.axes import MisfitAxesError, UnstatedAxesError
from cellseg_monai.pixels import Preprocessing, prepared_shape, select_channels

__all__ = ["Understood", "misfits", "seconds_a_px", "settings_text", "understood"]


class Understood(NamedTuple):
    """A description of how an image is read.

    Args:
        text: axes, channels, pixel size and tiles of the image.
        network_px: number of pixels of all its tiles, to which the network's time is proportional.
        batch: number of tiles that the network sees at the same time, and height and width of a tile in pixels.
    """

    text: str
    network_px: int
    batch: tuple[int, int, int]


def settings_text(job: Job) -> str:
    """Describe what `job` does with every image, in one line."""
    pipeline = job.pipeline
    tiles = pipeline.tiles
    height, width = tiles.size
    views = ", eight views each" if pipeline.tta else ""
    return (
        f"{pipeline.bundle} {pipeline.version} with {pipeline.precision}; tiles of up to {height} × {width} px{views}, "
        f"which overlap by at least {tiles.overlap} px, {tiles.batch} at a time; each image becomes "
        f"{', '.join(job.exports)}"
    )


def understood(path: Path, job: Job) -> Understood:
    """Describe axes, channels, pixel size and tiles of an image, as `job` would read and cut it.

    Args:
        path: file or OME-Zarr of the image.
        job: what would be done with it.

    Raises:
        ValueError: the image lacks what the bundle asks for.
        UnreadableImageError: the image cannot be read.
    """
    settings, tiles = job.pipeline.preprocess, job.pipeline.tiles
    with open_image(path, axes=job.reading.axes) as image:
        shape = (image.shape[-2], image.shape[-1])
        if 0 in shape:
            raise ValueError(f"{path}: it has no pixels, {image.shape}; export it again")
        size_um = job.reading.pixel_size_um or image.pixel_size_um
        try:
            seen = _network_shape(image, settings, size_um)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        sizes = ", ".join(f"{axis} {length}" for axis, length in zip(image.axes, image.shape, strict=True))
        names = f" ({', '.join(image.channel_names)})" if any(image.channel_names) else ""
        known = f"{size_um[0]:g} × {size_um[1]:g} µm a pixel" if size_um else "pixel size unknown"
        channels = settings.channels if isinstance(settings.channels, str) else ", ".join(map(str, settings.channels))
        scale = "" if seen == shape else f", seen at {seen[0]} × {seen[1]}"
        axes = tiles.cover(seen)
        count = math.prod(len(axis.starts) for axis in axes)
        planes = math.prod(image.shape[:-3])
        work = f"{planes} planes, each {count} tile(s)" if planes > 1 else f"{count} tile(s)"
        text = f"{sizes}{names}; {known}; the network sees {channels}{scale}, {work}"
        tile = (axes[0].size, axes[1].size)
        return Understood(text, planes * count * math.prod(tile), (min(tiles.batch, count), *tile))


def misfits(images: Sequence[ImageFile], settings: Preprocessing, reading: Reading) -> list[str]:
    """Return the reasons, one for each image, if no image fits what the bundle asks for.

    Args:
        images: opened one after the other, until one fits.
        settings: how images are prepared, which says what they need.
        reading: how files are understood.

    Returns:
        No reasons if an image fits, or fails for another cause, which the run will report.
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
                    reasons.append(f"{file.path}: {error}")
                    continue
        except (MisfitAxesError, UnstatedAxesError) as error:
            reasons.append(str(error))
            continue
        except OF_AN_IMAGE:
            pass
        return []
    return reasons


def _network_shape(image: LazyImage, settings: Preprocessing, size_um: tuple[float, float] | None) -> tuple[int, int]:
    """Return height and width, in pixels, at which the network sees an image.

    Raises:
        ValueError: the image lacks a channel or a pixel size.
    """
    # One pixel stands for the image, since the choice of channels does not depend on values.
    pixel = np.zeros((image.shape[-3], 1, 1), image.dtype)
    select_channels(pixel, settings.channels, channel_names=image.channel_names)
    return prepared_shape((image.shape[-2], image.shape[-1]), settings, pixel_size_um=size_um)


def seconds_a_px(pipeline: Pipeline, batch: tuple[int, int, int]) -> float:
    """Measure the time that the network takes for a pixel, in seconds.

    All lanes run a batch twice, and the second time counts, because the first batches take longer.

    Args:
        pipeline: the pipeline with the network.
        batch: number of tiles, and height and width of a tile in pixels; see `Understood`.

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
