"""Read label images, in which every object has its own integer id."""

from __future__ import annotations

import logging
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import UnstatedAxesError
from cellseg_monai.formats.notes import ORIENTATION
from cellseg_monai.formats.registry import find_format
from cellseg_monai.io.arrangement import arrange

__all__ = ["read_labels"]

logger = logging.getLogger(__name__)

_ONE_PLANE = "save each plane as a separate file"


def read_labels(path: str | PathLike[str]) -> np.ndarray:
    """Read a label image as a (Y, X) array of int32, or of int64 if an id exceeds int32.

    Values are those in the file: the indices if the image has a palette, and 0 and 255 or 0 and 1 if it is a mask. The
    only exception is a 1-bit mask that is marked as min-is-white and was not written by a microscopy program. As in
    `read`, pixels shown in white are then 1. Axes of length 1 before Y and X are dropped. Whole numbers that are stored
    as floating-point numbers become integers. An orientation tag is not applied, as in `read`, but logged.

    Args:
        path: file or OME-Zarr folder to read.

    Raises:
        FileNotFoundError: the path does not exist.
        UnreadableImageError: the file cannot be read, is not a single 2-D plane, or holds numbers that are not whole,
            not finite, or too large for their type to tell them apart.
    """
    file = Path(fspath(path))
    try:
        with find_format(file).opened(file, None, indices=True) as stored:
            image = arrange(file, stored)
    except UnstatedAxesError as error:
        raise UnreadableImageError(
            file, f"{error.reason}, and a label image must be a single plane", _ONE_PLANE
        ) from error
    if any(n > 1 for n in image.pixels.shape[:-3]):
        sizes = ", ".join(f"{n} {a}" for n, a in zip(image.pixels.shape, image.axes, strict=True))
        raise UnreadableImageError(file, f"got a stack ({sizes}), expected a single-plane label image", _ONE_PLANE)
    for note in image.notes:
        if note.kind == ORIENTATION:  # sizes do not matter for labels
            logger.warning(f"{file}: {note.text}")
    planes = image.pixels.reshape(image.pixels.shape[-3:])
    if len(planes) != 1:
        raise UnreadableImageError(
            file,
            f"got a label image with {len(planes)} channels, expected one",
            "convert it to one channel in which every object has its own integer",
        )
    labels = planes[0]
    if labels.dtype.kind == "f":
        labels = _whole_numbers(file, labels)
    if labels.dtype == np.uint64 and int(labels.max()) > np.iinfo(np.int64).max:
        raise UnreadableImageError(
            file, f"label {labels.max()} does not fit into a signed 64-bit integer", "renumber the labels from 1"
        )
    fits = labels.dtype == bool or (
        int(labels.max()) <= np.iinfo(np.int32).max and int(labels.min()) >= np.iinfo(np.int32).min
    )
    return labels.astype(np.int32 if fits else np.int64)


def _whole_numbers(file: Path, labels: np.ndarray) -> np.ndarray:
    """Return floating-point labels as integers.

    Raises:
        UnreadableImageError: a label is not a whole number, or so large that another one can have the same value.
    """
    highest = 2 ** (np.finfo(labels.dtype).nmant + 1)
    for fits, problem in (
        (np.isfinite(labels), "which is no number of an object, expected integers"),
        (labels == np.rint(labels), "which is a fraction, expected integers"),
        (np.abs(labels) <= highest, f"expected at most {highest}, up to which the type holds every whole number"),
    ):
        if not fits.all():
            row, column = np.unravel_index(int(np.argmin(fits)), fits.shape)
            reason = (
                f"got the label {labels[row, column]} of type {labels.dtype} in row {row}, column {column}, {problem}"
            )
            raise UnreadableImageError(file, reason, "save the labels as integers")
    return labels.astype(np.int64)
