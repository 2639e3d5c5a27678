"""The facts and pictures that an evaluation report shows for each image."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellseg_monai.data import list_images
from cellseg_monai.evaluation import EvaluatedImage, FilePair, Protocol
from cellseg_monai.evaluation.pairs import image_name
from cellseg_monai.faults import Fault
from cellseg_monai.io import Image, image_stem, read, read_labels
from cellseg_monai.io.display import picture_of
from cellseg_monai.labels import ObjectTable, measure_objects
from cellseg_monai.report.overlay import View
from cellseg_monai.report.picture import grey_values
from cellseg_monai.scores import Mistakes, label_overlaps, match_objects, object_mistakes

__all__ = ["INTENSITY", "IOU", "ComparedImage", "compare_image", "find_images", "read_image", "view_of"]

IOU = 0.5
"""IoU threshold at which a report counts objects as found and classifies mistakes. Every protocol includes it."""

INTENSITY = "intensity"
"""Name of the channel in which object intensities are measured: the mean over an image's channels."""


@dataclass(frozen=True, eq=False)
class ComparedImage:
    """One compared image and the facts that a report gives about it.

    Args:
        evaluated: the image's files and the protocol's counts.
        image: path of the microscopy image; None if it is missing or cannot be shown.
        score: this image's value of the protocol's main score, the first one.
        found: number of true objects with a match at `IOU`.
        mistakes: number of mistakes of each kind.
        truth: measurements of the true objects.
        prediction: measurements of the predicted objects.
    """

    evaluated: EvaluatedImage
    image: Path | None
    score: float
    found: int
    mistakes: dict[str, int]
    truth: ObjectTable
    prediction: ObjectTable

    @property
    def name(self) -> str:
        """The name of the image."""
        return self.evaluated.files.name


def find_images(pairs: Sequence[FilePair], images_dir: str | Path | None) -> tuple[dict[str, Path], list[Fault]]:
    """Find the microscopy image for each pair of label images.

    An image belongs to a pair if it has the same name, ignoring suffixes such as `_seg`. If several images do, those
    whose stem is exactly the pair's name or the stem of its true label image are preferred.

    Args:
        pairs: pairs of true and predicted label images, which may lie in the same folder as the images.
        images_dir: folder with the images; None to use the image paths stored in the pairs.

    Returns:
        The image paths by pair name, and a fault for each pair with no image or more than one.

    Raises:
        DatasetError: the folder does not exist.
    """
    if images_dir is None:
        return _known_images(pairs)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in list_images(images_dir):
        for key in {image_stem(path), image_name(path)}:
            by_stem[key].append(path)
    images, faults = {}, []
    for pair in pairs:
        masks = {os.path.realpath(path) for path in (pair.truth, pair.prediction)}
        choices = [path for path in by_stem[pair.name] if os.path.realpath(path) not in masks]
        exact = [path for path in choices if image_stem(path) in (pair.name, image_stem(pair.truth))]
        chosen = exact or choices
        if len(chosen) == 1:
            images[pair.name] = chosen[0]
            continue
        names = ", ".join(path.name for path in chosen)
        message = (
            f"{len(chosen)} images in {images_dir} match this pair ({names}); keep only one image"
            if chosen
            else f"no image named {pair.name!r} in {images_dir}, so only outlines are shown; add the image"
        )
        faults.append(Fault(pair.name, "no-image", message))
    return images, faults


def _known_images(pairs: Sequence[FilePair]) -> tuple[dict[str, Path], list[Fault]]:
    message = "the evaluation records no image file, so only outlines are shown; pass the image folder as --images"
    return (
        {pair.name: pair.image for pair in pairs if pair.image is not None},
        [Fault(pair.name, "no-image", message) for pair in pairs if pair.image is None],
    )


def read_image(path: Path, shape: tuple[int, ...]) -> Image:
    """Read an image and check that its shape matches its label images.

    Args:
        path: path of the image.
        shape: (Y, X) of the label images.

    Raises:
        ValueError: the image cannot be read, or its shape differs from that of the label images.
    """
    image = read(path)
    if image.pixels.shape[-2:] != shape:
        raise ValueError(
            f"{path}: got an image of shape {image.pixels.shape[-2:]}, expected {shape} as in its label images; "
            "pass the image that was segmented"
        )
    return image


def compare_image(
    evaluated: EvaluatedImage, protocol: Protocol, image: Path | None
) -> tuple[ComparedImage, list[Fault]]:
    """Collect the facts that a report gives about an image.

    Args:
        evaluated: the image's files and the protocol's counts.
        protocol: protocol of the evaluation.
        image: path of the microscopy image, or None.

    Returns:
        The facts, and a fault if the microscopy image cannot be shown.
    """
    prediction, truth = _as_compared(evaluated.files, protocol)
    values, faults = None, []
    if image is not None:
        try:
            opened = read_image(image, truth.shape)
            picture_of(opened)  # raises now, before anything is drawn, if the image cannot be shown
            values = grey_values(opened)[None]
        except (ValueError, OSError) as error:
            faults.append(Fault(evaluated.files.name, "no-image", str(error)))
            image = None
    mistakes, found = _mistakes(prediction, truth, protocol)
    compared = ComparedImage(
        evaluated=evaluated,
        image=image,
        score=protocol.value(protocol.scores[0], [evaluated.counts]),
        found=found,
        mistakes=mistakes.counts,
        truth=measure_objects(truth, values, channel_names=[INTENSITY]),
        prediction=measure_objects(prediction, values, channel_names=[INTENSITY]),
    )
    return compared, faults


def view_of(compared: ComparedImage, protocol: Protocol) -> tuple[View, Image | None]:
    """Load the picture and label images for an image's overlays.

    Without a microscopy image, the picture is black.

    Args:
        compared: the compared image.
        protocol: protocol of the evaluation.

    Returns:
        The view, and the microscopy image, or None if there is none.
    """
    prediction, truth = _as_compared(compared.evaluated.files, protocol)
    image = None if compared.image is None else read_image(compared.image, truth.shape)
    picture: np.ndarray = np.zeros((*truth.shape, 3), np.uint8) if image is None else picture_of(image)
    mistakes, _ = _mistakes(prediction, truth, protocol)
    return View(picture, truth, prediction, mistakes), image


def _as_compared(files: FilePair, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Return prediction and ground truth as the protocol prepares them, or unchanged if it splits them into tiles."""
    stored = read_labels(files.prediction), read_labels(files.truth)
    prepared = list(protocol.prepare(*stored))
    return prepared[0] if len(prepared) == 1 else stored


def _mistakes(prediction: np.ndarray, truth: np.ndarray, protocol: Protocol) -> tuple[Mistakes, int]:
    overlaps = label_overlaps(prediction, truth)
    matching = match_objects(overlaps, [IOU], strict=protocol.strict)[0]
    return object_mistakes(overlaps, matching), len(matching.iou)
