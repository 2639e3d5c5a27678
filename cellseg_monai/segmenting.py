"""Segment one image from Python, with the same functions as `cellseg segment`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.bundle import load_pipeline
from cellseg_monai.exports import Segmentation
from cellseg_monai.formats.notes import open_notes
from cellseg_monai.inference import (
    Chooser,
    Pipeline,
    Plane,
    ScoutedPipelines,
    Stages,
    choose_for_planes,
    prepared_plane,
    segment_plane,
)
from cellseg_monai.inference.flagging import on_plane
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.io import Image, image_of_array, read
from cellseg_monai.labels import join_tables
from cellseg_monai.prefetch import prefetch
from cellseg_monai.segment_options import PIPELINE_OPTIONS, READING_OPTIONS, SegmentOptions, takes_options

__all__ = ["segment"]

logger = logging.getLogger(__name__)

Reader = Callable[[slice, slice], np.ndarray]


@takes_options(*READING_OPTIONS, *PIPELINE_OPTIONS)
def segment(
    image: str | PathLike[str] | Image | Any,
    bundle: str | Path | Chooser = SegmentOptions.bundle,
    *,
    channel_names: Sequence[str] = (),
    **options: Any,
) -> Segmentation:
    """Find the cells in an image, as `cellseg segment` does, and return a label image and measurements.

    Args:
        image: a file or OME-Zarr; an `io.Image`; or an array with the axes Y and X, or with the axes given by `axes`.
        bundle: bundle name, bundle folder, or zip file of a bundle; or a pipeline from `bundle.load_pipeline`, which
            avoids loading the bundle again for every image.
        options: fields of `SegmentOptions`.
        channel_names: names of the image's channels, overriding those in the file.

    Returns:
        The objects found, with `labels` as a NumPy array. For a stack, the axes T, P and Z come before Y and X, and ids
        start again in each plane. `flags` says what is unusual about the image. `exports.write_exports` writes the
        objects to files.

    Raises:
        FileNotFoundError: the file does not exist.
        TypeError: an option is unknown or has the wrong type.
        ValueError: the image cannot be read, its axes are unknown, or it lacks a channel or pixel size that the bundle
            needs; or the bundle does not exist, or an option has an invalid value.
        CheckpointError: the bundle has no weights.
    """
    chosen = SegmentOptions(**options)  # rejects invalid values before anything is read
    settings = {key: value for key, value in options.items() if key not in READING_OPTIONS}
    name = Path(fspath(image)).name if isinstance(image, str | PathLike) else "image"
    opened = _image(image, chosen.axes)
    for note in open_notes(opened.notes, chosen.pixel_size_um):
        logger.warning(f"{name}: {note.text}")
    opened = replace(
        opened,
        channel_names=tuple(channel_names) or opened.channel_names,
        pixel_size_um=chosen.pixel_size_um or opened.pixel_size_um,
    )
    if isinstance(bundle, Pipeline | ScoutedPipelines):
        if settings:
            raise ValueError(
                f"got {', '.join(settings)} together with a pipeline; pass these options to load_pipeline instead"
            )
        pipeline = bundle
    else:
        pipeline = load_pipeline(bundle, **settings)
        for note in pipeline.notes:
            logger.warning(note.text)
    places = list(np.ndindex(opened.pixels.shape[:-3]))
    planes = dict(zip(places, _segmented_planes(opened, places, pipeline, name), strict=True))
    if opened.axes == "CYX":
        return planes[()]
    axes = opened.axes[:-3]
    return Segmentation(
        labels=np.stack([plane.labels for plane in planes.values()]).reshape(
            *opened.pixels.shape[:-3], *opened.pixels.shape[-2:]
        ),
        table=join_tables(axes, {place: plane.table for place, plane in planes.items()}),
        image_name=name,
        image=opened.pixels,
        channel_names=opened.channel_names,
        pixel_size_um=opened.pixel_size_um,
        axes=opened.axes.replace("C", ""),
        z_step_um=opened.z_step_um,
        time_step_s=opened.time_step_s,
        flags=tuple(
            flag
            for place, plane in planes.items()
            for flag in on_plane(tuple(plane.flags), dict(zip(axes, place, strict=True)))
        ),
    )


def _image(image: Any, axes: str | None) -> Image:
    """Return the image that the caller passed as a file, an array or an `Image`."""
    if isinstance(image, str | PathLike):
        return read(image, axes)
    if not isinstance(image, Image):
        return image_of_array(image, axes)
    if axes is not None:
        raise ValueError(f"got axes={axes!r} for an Image, which already states its axes ({image.axes}); omit axes")
    return image


def _segmented_planes(
    image: Image, places: Sequence[tuple[int, ...]], chooser: Chooser, name: str
) -> Iterator[Segmentation]:
    """Segment the planes one by one, and yield the objects in each."""
    shape, names = (image.pixels.shape[-2], image.pixels.shape[-1]), image.channel_names
    reads = [_reader(image.pixels[place]) for place in places]
    choose = choose_for_planes(chooser, reads, shape, names)

    def prepared(number: int) -> tuple[Plane, Pipeline]:
        place, pipeline = places[number], choose(number, reads[number])
        plane = prepared_plane(
            image.pixels[place], pipeline, name=name, channel_names=names, pixel_size_um=image.pixel_size_um
        )
        return plane, pipeline

    plane_px = math.prod(shape)

    def label(plane: tuple[Plane, Pipeline], lanes: Lanes) -> Segmentation:
        return segment_plane(*plane, lanes)

    with (
        Stages(label, lambda labelled: labelled, lanes=chooser.lanes, largest_px=plane_px) as stages,
        closing(prefetch(map(prepared, range(len(places))))) as planes,
    ):
        for plane in planes:
            yield from stages.put(plane, size_px=plane_px)
        yield from stages.drain()


def _reader(pixels: np.ndarray) -> Reader:
    """Return a function that returns the C×Y×X pixels in the given rows and columns."""
    return lambda rows, columns: pixels[:, rows, columns]
