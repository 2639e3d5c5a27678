"""Look at one image from Python, with the same functions as `cellseg scout`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np

from cellseg_monai.bundle import load_scout, suggested_bundles
from cellseg_monai.formats.notes import open_notes
from cellseg_monai.io import Image, LazyImage, image_of_array, open_image
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import Look, Scout, look_of, looked_at
from cellseg_monai.segment_options import SegmentOptions

__all__ = ["look", "look_at"]

logger = logging.getLogger(__name__)

_IN_MEMORY_PX = 2**23  # planes up to this size are read as a whole, which is faster than in many parts


def look(
    image: str | PathLike[str] | Image | Any,
    *,
    channels: str | Sequence[str | int] | None = None,
    axes: str | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    channel_names: Sequence[str] = (),
    checkpoint: str | PathLike[str] | None = None,
) -> Look:
    """Tell what an image shows, how large its objects are, and which bundle suits it, as `cellseg scout` does.

    Args:
        image: a file or OME-Zarr; an `io.Image`; or an array with the axes Y and X, or with the axes given by `axes`.
            Of a stack, the first, the middle and the last plane are looked at.
        channels: names or numbers of the channels to look at, of which the first is used; None for the light of a grey
            or colour image.
        axes: axes of the image, such as ZYX or YXS, if the file does not state them.
        pixel_size: pixel size of the image in µm, overriding the one in the file.
        channel_names: names of the image's channels, overriding those in the file.
        checkpoint: file with the scout's weights, if not those shipped with it.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the image cannot be read or contains NaN, its axes are unknown, or it has several channels that are
            not red, green and blue, and `channels` is None.
        CheckpointError: the scout has no weights.
    """
    options = SegmentOptions(channels=channels, axes=axes, pixel_size=pixel_size)  # type: ignore[arg-type]
    scout, bundles = load_scout(None if checkpoint is None else fspath(checkpoint)), suggested_bundles()
    if isinstance(image, str | PathLike):
        with open_image(image, axes=options.axes) as opened:
            return look_at(opened, scout, bundles, options, name=fspath(image), channel_names=channel_names)
    if not isinstance(image, Image):
        image = image_of_array(image, axes)
    elif axes is not None:
        raise ValueError(f"got axes={axes!r} for an Image, which already states its axes ({image.axes}); omit axes")
    return look_at(image, scout, bundles, options, channel_names=channel_names)


def look_at(
    image: Image | LazyImage,
    scout: Scout,
    bundles: Mapping[str, Preprocessing],
    options: SegmentOptions,
    *,
    name: str = "image",
    channel_names: Sequence[str] = (),
) -> Look:
    """Return what a scout says about an image.

    Args:
        image: the image.
        scout: what looks at it.
        bundles: the bundles to suggest, from `bundle.suggested_bundles`.
        options: channels and pixel size.
        name: path or name of the image.
        channel_names: names of the image's channels, overriding those in the file.

    Raises:
        ValueError: the image has no pixels, or the scout does not know at which of its channels to look.
    """
    *stacked, _, height, width = image.pixels.shape if isinstance(image, Image) else image.shape
    if 0 in (height, width):
        raise ValueError(f"{name}: the image has no pixels; export it again")
    for note in open_notes(image.notes, options.pixel_size_um):
        logger.warning(f"{name}: {note.text}")
    names = tuple(channel_names) or image.channel_names
    places = list(np.ndindex(*stacked))
    sightings = [
        scout.look(_reader(image, places[number]), (height, width), channel_names=names, channels=options.channels)
        for number in looked_at(len(places))
    ]
    return look_of(name, sightings, bundles, options.pixel_size_um or image.pixel_size_um)


def _reader(image: Image | LazyImage, place: tuple[int, ...]) -> Callable[[slice, slice], np.ndarray]:
    """Return a function that reads the C×Y×X pixels of a plane in the given rows and columns."""
    if isinstance(image, Image):
        pixels = image.pixels[place]
        return lambda rows, columns: pixels[:, rows, columns]
    if math.prod(image.shape[-2:]) <= _IN_MEMORY_PX:
        window = image.window(place)
        return lambda rows, columns: window[:, rows, columns]
    plane = image.plane(place)
    return lambda rows, columns: plane[:, rows, columns]
