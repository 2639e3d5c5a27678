"""The pixels of label files, checked against the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import Image, read, read_labels

__all__ = ["check_size", "label_ids", "mask_channels", "without_alpha"]


def mask_channels(path: Path, shape: tuple[int, int], *, exact: bool = True) -> np.ndarray:
    """Return the channels of a mask that is stored as a picture, without alpha.

    Args:
        path: the mask file.
        shape: height and width that the mask must have, in pixels.
        exact: True if every value counts, so a JPEG is refused.

    Returns:
        CYX bool or unsigned.

    Raises:
        UnreadableImageError: the file is unreadable, a JPEG although values must be exact, not one plane of whole
            numbers, or of another shape.
    """
    if exact:
        _check_lossless(path)
    image = read(path)
    pixels = image.pixels
    if pixels.ndim != 3 or pixels.dtype.kind not in "bu":
        raise UnreadableImageError(
            path, f"a mask of axes {image.axes} and type {pixels.dtype}", "expected one plane of whole numbers"
        )
    check_size(path, "the mask", pixels.shape[-2:], shape)
    return without_alpha(image)


def label_ids(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return the ids of an integer label image, unchanged.

    Args:
        path: the label file.
        shape: height and width that the labels must have, in pixels.

    Returns:
        YX integers; see `io.read_labels`.

    Raises:
        UnreadableImageError: the file is unreadable, a JPEG, or of another shape.
    """
    _check_lossless(path)
    labels = read_labels(path)
    check_size(path, "the mask", labels.shape, shape)
    return labels


def without_alpha(image: Image) -> np.ndarray:
    """Return the pixels of an image, without the last of several channels if that is alpha.

    Args:
        image: an image of any axes that end in CYX.

    Returns:
        (..., C, Y, X) of the image's own type.
    """
    has_alpha = len(image.channel_names) > 1 and image.channel_names[-1] == "alpha"
    return image.pixels[..., :-1, :, :] if has_alpha else image.pixels


def check_size(path: Path, name: str, size: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Refuse labels that were made for an image of another size.

    Args:
        path: the label file.
        name: name for `size` in the message, such as "the mask".
        size: height and width of the labels in pixels.
        shape: height and width of the image in pixels.

    Raises:
        UnreadableImageError: the two differ.
    """
    if tuple(size) != tuple(shape):
        raise UnreadableImageError(
            path,
            f"{name} is {size[0]} × {size[1]} (height × width), but the image is {shape[0]} × {shape[1]}",
            "they must match pixel by pixel: use the labels of this image, or remove both",
        )


def _check_lossless(path: Path) -> None:
    """Refuse a JPEG, judged by its suffix: it blurs edges, so neither ids nor borders are exact."""
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise UnreadableImageError(
            path, "labels as JPEG, which changes values along edges", "export them from the original as PNG or TIFF"
        )
