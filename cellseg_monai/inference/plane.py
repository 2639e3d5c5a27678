"""One plane of an image: prepared, passed through the network, turned into measured objects."""

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
    """A plane on its way through the pipeline.

    Args:
        name: name of the image file, with the position of the plane if the file has several.
        pixels: C×Y×X as measured.
        prepared: C×Y×X float32 as the network expects it, at its scale.
        channel_names: one name per channel, or none.
        pixel_size_um: (y, x) in µm, if known.
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
    """Prepare a plane for the network; see `pixels.prepare`.

    Args:
        pixels: C×Y×X as measured, a whole plane.
        pipeline: the pipeline of the bundle.
        name: name of the image file.
        channel_names: one name per channel, or none.
        pixel_size_um: (y, x) in µm, if known.

    Raises:
        ValueError: the image has no pixels, or lacks a channel or the pixel size that the pipeline asks for.
    """
    prepared = prepare(pixels, pipeline.preprocess, channel_names=channel_names, pixel_size_um=pixel_size_um)
    return Plane(name, pixels, prepared, channel_names, pixel_size_um)


def segment_plane(plane: Plane, pipeline: Pipeline, lanes: Lanes | None = None) -> Segmentation:
    """Segment a plane: network, objects, measurements.

    Args:
        plane: the prepared plane.
        pipeline: the pipeline of the bundle.
        lanes: threads in which the network runs; None: it runs in this thread.

    Returns:
        The objects in the frame of the image, with their table.
    """
    return objects_of(plane, predict(plane.prepared, pipeline.augmented_network, pipeline.tiles, lanes), pipeline)


def objects_of(plane: Plane, logits: np.ndarray, pipeline: Pipeline) -> Segmentation:
    """Make measured objects of the network's answer for a plane.

    Args:
        plane: the prepared plane.
        logits: K×Y×X float32 at the scale of the network, from `pipeline.augmented_network`.
        pipeline: the pipeline of the bundle.

    Returns:
        The objects in the frame of the image. Their `score` is the mean probability of the foreground over an object;
        with test-time augmentation, `agreement` is the mean share of the views that saw foreground there.
    """
    maps = pipeline.maps(logits)
    shape = (int(plane.pixels.shape[1]), int(plane.pixels.shape[2]))
    labels = label_objects(maps, pipeline.postprocess, shape)
    table = measure_objects(
        labels,
        plane.pixels,
        channel_names=plane.channel_names,
        pixel_size_um=plane.pixel_size_um,
        maps={name: _framed(maps[name], shape) for name in pipeline.measured_maps},
    )
    return Segmentation(labels, table, plane.name, plane.pixels, plane.channel_names, plane.pixel_size_um)


def _framed(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring a map from the scale of the network to the frame of the image, by nearest neighbour like the labels."""
    return rescale_labels(values, shape)
