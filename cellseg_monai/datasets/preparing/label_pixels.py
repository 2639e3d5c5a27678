"""Label files as the pixels that they store, checked against the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import Image, read, read_labels

__all__ = ["label_ids", "mask_channels", "same_size", "without_alpha"]


def mask_channels(path: Path, shape: tuple[int, int], *, exact: bool = True) -> np.ndarray:
    """The channels of a mask that is drawn as a picture, without alpha.

    Args:
        path: the mask.
        shape: (Y, X) that it must have.
        exact: every value counts, so that a JPEG will not do.

    Returns:
        (C, Y, X) bool or unsigned.

    Raises:
        UnreadableImageError: it is unreadable, a JPEG where values must be exact, no plane of whole numbers, or of
            another shape.
    """
    if exact:
        _check_lossless(path)
    image = read(path)
    pixels = image.pixels
    if pixels.ndim != 3 or pixels.dtype.kind not in "bu":
        raise UnreadableImageError(
            path, f"a mask of axes {image.axes} and type {pixels.dtype}", "expected one picture of whole numbers"
        )
    same_size(path, "of the mask", pixels.shape[-2:], shape)
    return without_alpha(image)


def label_ids(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """The ids of an integer label image, as they are.

    Args:
        path: the label image.
        shape: (Y, X) that it must have.

    Returns:
        (Y, X), see `io.read_labels`.

    Raises:
        UnreadableImageError: it is unreadable, a JPEG, or of another shape.
    """
    _check_lossless(path)
    labels = read_labels(path)
    same_size(path, "of the mask", labels.shape, shape)
    return labels


def without_alpha(image: Image) -> np.ndarray:
    """The pixels (..., C, Y, X) of an image, less the channel of alpha if it is the last of several."""
    hidden = len(image.channel_names) > 1 and image.channel_names[-1] == "alpha"
    return image.pixels[..., :-1, :, :] if hidden else image.pixels


def same_size(path: Path, whose: str, found: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Refuse labels that were made for an image of another size.

    Args:
        path: the file that has them.
        whose: what `found` is the size of.
        found: (Y, X).
        shape: (Y, X) of the image.

    Raises:
        UnreadableImageError: they differ.
    """
    if tuple(found) != tuple(shape):
        raise UnreadableImageError(
            path,
            f"the size {whose} is {found[0]} × {found[1]} (height × width), that of the image {shape[0]} × {shape[1]}",
            "they must match pixel by pixel: take the labels of this image, or take both away",
        )


def _check_lossless(path: Path) -> None:
    """Refuse a JPEG, which blurs edges, so that ids, and where objects end, are no more what they were.

    Raises:
        UnreadableImageError: it is one, by its suffix.
    """
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise UnreadableImageError(
            path, "labels as JPEG, which changes values along edges", "export them from the original as PNG or TIFF"
        )
