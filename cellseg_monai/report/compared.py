"""Images whose label images were compared: what a report says and shows of each."""

from __future__ import annotations

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
"""At which an object counts as found where mistakes are named; every protocol has it among its thresholds."""

INTENSITY = "intensity"
"""As what the brightness of objects is measured, the mean of all channels."""


@dataclass(frozen=True, eq=False)
class ComparedImage:
    """What a report says of an image.

    Args:
        evaluated: its files and what the protocol counted.
        image: the file of the image itself; None where it is missing or cannot be shown.
        score: the protocol's first, of this image.
        found: objects that count as found.
        mistakes: how many of each kind.
        truth: the true objects.
        prediction: the predicted ones.
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
        """Of the image."""
        return self.evaluated.files.name


def find_images(pairs: Sequence[FilePair], images_dir: str | Path) -> tuple[dict[str, Path], list[Fault]]:
    """The image of each pair: the file whose stem is the name of the pair, or the stem of its truth.

    Args:
        pairs: truths and predictions; they may lie beside the images.
        images_dir: the folder of the images.

    Returns:
        The images by the names of the pairs, and a fault for each pair without one, or with several.

    Raises:
        DatasetError: there is no such folder.
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in list_images(images_dir):
        for key in {image_stem(path), image_name(path)}:
            by_stem[key].append(path)
    found, faults = {}, []
    for pair in pairs:
        masks = {pair.truth.resolve(), pair.prediction.resolve()}
        choices = [path for path in by_stem[pair.name] if path.resolve() not in masks]
        exact = [path for path in choices if image_stem(path) in (pair.name, image_stem(pair.truth))]
        chosen = exact or choices
        if len(chosen) == 1:
            found[pair.name] = chosen[0]
            continue
        what = ", ".join(path.name for path in chosen)
        message = (
            f"{len(chosen)} images in {images_dir} may belong to it, {what}; keep one of them"
            if chosen
            else f"no image with the stem {pair.name!r} in {images_dir}; its outlines are shown without it"
        )
        faults.append(Fault(pair.name, "no-image", message))
    return found, faults


def read_image(path: Path, shape: tuple[int, ...]) -> Image:
    """An image of one plane, of the shape of its label images.

    Args:
        path: the file.
        shape: YX.

    Raises:
        ValueError: it has another shape, is a stack, or cannot be read.
    """
    image = read(path)
    if image.pixels.shape[-2:] != shape:
        raise ValueError(
            f"{path}: an image of {image.pixels.shape[-2:]} came, but {shape}, as its label images have it, was "
            "expected; pass the image that was segmented"
        )
    return image


def compare_image(
    evaluated: EvaluatedImage, protocol: Protocol, image: Path | None
) -> tuple[ComparedImage, list[Fault]]:
    """What a report says of an image, and why the image itself cannot be shown, if so.

    Args:
        evaluated: its files and what the protocol counted.
        protocol: that one.
        image: the file of the image itself.
    """
    prediction, truth = _as_compared(evaluated.files, protocol)
    values, faults = None, []
    if image is not None:
        try:
            opened = read_image(image, truth.shape)
            picture_of(opened)  # what cannot be shown is told before anything is drawn
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
    """What is shown of an image; without the image itself, its outlines are on black.

    Args:
        compared: which.
        protocol: under which it was compared.
    """
    prediction, truth = _as_compared(compared.evaluated.files, protocol)
    image = None if compared.image is None else read_image(compared.image, truth.shape)
    picture: np.ndarray = np.zeros((*truth.shape, 3), np.uint8) if image is None else picture_of(image)
    mistakes, _ = _mistakes(prediction, truth, protocol)
    return View(picture, truth, prediction, mistakes), image


def _as_compared(files: FilePair, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth as the protocol prepares them; as they are where it cuts them into parts."""
    given = read_labels(files.prediction), read_labels(files.truth)
    prepared = list(protocol.prepare(*given))
    return prepared[0] if len(prepared) == 1 else given


def _mistakes(prediction: np.ndarray, truth: np.ndarray, protocol: Protocol) -> tuple[Mistakes, int]:
    overlaps = label_overlaps(prediction, truth)
    matching = match_objects(overlaps, [IOU], strict=protocol.strict)[0]
    return object_mistakes(overlaps, matching), len(matching.iou)
