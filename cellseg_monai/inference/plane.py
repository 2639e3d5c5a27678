"""One plane of an image: prepared, seen by the network, turned into measured objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.decoding import label_objects
from cellseg_monai.exports import Segmentation
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.tiled import predict
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import prepare, rescale_labels

__all__ = ["Plane", "objects_of", "prepared_plane", "segment_plane"]


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane on its way.

    Args:
        name: of the image file, with the plane's place in it where it has several.
        pixels: CYX as measured.
        prepared: CYX float32 as the network wants it, at its scale.
        channel_names: one a channel, or none.
        pixel_size_um: (y, x), if known.
    """

    name: str
    pixels: np.ndarray
    prepared: np.ndarray
    channel_names: Sequence[str] = ()
    pixel_size_um: tuple[float, float] | None = None


def prepared_plane(
    pixels: np.ndarray,
    pipeline: Pipeline,
    *,
    name: str = "image",
    channel_names: Sequence[str] = (),
    pixel_size_um: tuple[float, float] | None = None,
) -> Plane:
    """A plane made ready for the network; see `pixels.prepare`.

    Args:
        pixels: CYX as measured, a whole image.
        pipeline: says how.
        name: of the image file.
        channel_names: one a channel, or none.
        pixel_size_um: (y, x), if known.

    Raises:
        ValueError: the image has no pixels, or lacks a channel or the pixel size that the pipeline asks for.
    """
    prepared = prepare(pixels, pipeline.preprocess, channel_names=channel_names, pixel_size_um=pixel_size_um)
    return Plane(name, pixels, prepared, channel_names, pixel_size_um)


def segment_plane(plane: Plane, pipeline: Pipeline, lanes: Lanes | None = None) -> Segmentation:
    """The objects of a plane.

    Args:
        plane: see `Plane`.
        pipeline: says how.
        lanes: where the network sees tiles; None: in this thread.
    """
    return objects_of(plane, predict(plane.prepared, pipeline.asked, pipeline.tiles, lanes), pipeline)


def objects_of(plane: Plane, logits: np.ndarray, pipeline: Pipeline) -> Segmentation:
    """Measured objects, out of what the network said of a plane.

    Args:
        plane: see `Plane`.
        logits: KYX float32 at the scale of the network, of `pipeline.asked`.
        pipeline: says how.

    Returns:
        The objects in the frame of the image. Their `score` is the mean probability of the foreground over an object;
        `agreement`, with test-time augmentation, the mean share of the views that saw foreground there.
    """
    maps, views = pipeline.maps(logits)
    shape = (int(plane.pixels.shape[1]), int(plane.pixels.shape[2]))
    labels = label_objects(maps, pipeline.postprocess, shape)
    table = measure_objects(
        labels,
        plane.pixels,
        channel_names=plane.channel_names,
        pixel_size_um=plane.pixel_size_um,
        probabilities=_framed(maps[0], shape),
        agreement=None if views is None else _framed(views, shape),
    )
    return Segmentation(labels, table, plane.name, plane.pixels, plane.channel_names, plane.pixel_size_um)


def _framed(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map at the scale of the network in the frame of the image, pixel by pixel as the labels were brought there."""
    return rescale_labels(values, shape)
