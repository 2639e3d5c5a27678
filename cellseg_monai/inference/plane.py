"""Segmenting one plane of an image: preparing the plane, running the network, and measuring the objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.decoding import label_objects
from cellseg_monai.exports import Segmentation
from cellseg_monai.inference.flagging import flagged
from cellseg_monai.inference.image_class import classified_image
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.tiled import predict
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import PreparedPixels, prepare_and_measure, rescale_labels

__all__ = ["Plane", "objects_of", "prepared_plane", "segment_plane"]


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane that is ready for the network.

    Args:
        name: name of the image file; if the image has several planes, it includes the position of this plane.
        pixels: C×Y×X raw pixel values.
        prepared: C×Y×X float32, prepared for the network and at the network's scale.
        channel_names: one name per channel, or empty.
        pixel_size_um: (y, x) pixel size in µm, if known.
        contrast: contrast of the raw pixels, as a multiple of the noise; see `pixels.Prepared`.
        missing: Y×X bool at the network's scale, True where the image has no data; None if it has data everywhere.
    """

    name: str
    pixels: np.ndarray
    prepared: np.ndarray
    channel_names: Sequence[str] = ()
    pixel_size_um: tuple[float, float] | None = None
    contrast: float = float("nan")
    missing: np.ndarray | None = None


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
        pixels: C×Y×X raw pixel values of the whole plane.
        pipeline: the bundle's pipeline.
        name: name of the image file.
        channel_names: one name per channel, or empty.
        pixel_size_um: (y, x) pixel size in µm, if known.

    Raises:
        ValueError: the image has no pixels, or lacks a channel or the pixel size that the pipeline needs.
    """
    prepared = prepare_and_measure(
        pixels, pipeline.preprocess, channel_names=channel_names, pixel_size_um=pixel_size_um
    )
    return Plane(name, pixels, prepared.pixels, channel_names, pixel_size_um, prepared.contrast, prepared.missing)


def segment_plane(plane: Plane, pipeline: Pipeline, lanes: Lanes | None = None) -> Segmentation:
    """Run the network on a plane, then find and measure the objects.

    Args:
        plane: the prepared plane.
        pipeline: the bundle's pipeline.
        lanes: threads in which to run the network; None for the current thread.

    Returns:
        The objects, at the size of the original image, and the table of their measurements.
    """
    return objects_of(plane, predict(plane.prepared, pipeline.augmented_network, pipeline.tiles, lanes), pipeline)


def objects_of(plane: Plane, logits: np.ndarray, pipeline: Pipeline) -> Segmentation:
    """Find and measure the objects in a plane, given the network's output.

    Args:
        plane: the prepared plane.
        logits: K×Y×X float32 at the scale of the network, from `pipeline.augmented_network`.
        pipeline: the bundle's pipeline.

    Returns:
        The objects, at the size of the original image, and the table of their measurements. In the table, `score` is
        the mean foreground probability over an object. With test-time augmentation, `agreement` is the mean share of
        views that see foreground in the object. `flags` names what is unusual about the plane. `image_class` is the
        class of the plane, if the network predicts one.
    """
    maps = pipeline.maps(logits)
    if plane.missing is not None:
        maps["foreground"] = np.where(plane.missing, np.float32(0), maps["foreground"])
    shape = (int(plane.pixels.shape[1]), int(plane.pixels.shape[2]))
    labels = label_objects(maps, pipeline.postprocess, shape)
    table = measure_objects(
        labels,
        plane.pixels,
        channel_names=plane.channel_names,
        pixel_size_um=plane.pixel_size_um,
        maps={name: _framed(maps[name], shape) for name in pipeline.measured_maps},
    )
    found = Segmentation(labels, table, plane.name, plane.pixels, plane.channel_names, plane.pixel_size_um)
    return flagged(
        classified_image(found, maps), PreparedPixels(plane.prepared, plane.contrast, plane.missing), pipeline
    )


def _framed(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resample a map from the scale of the network to the size of the image, by nearest neighbour like the labels."""
    return rescale_labels(values, shape)
