"""Label files as the pixels that they store, checked against the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import Image, read

__all__ = ["check_shape", "mask_channels", "without_alpha"]


def mask_channels(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """The channels of a mask that is drawn as a picture, without alpha.

    Args:
        path: the mask.
        shape: (Y, X) that it must have.

    Returns:
        (C, Y, X) bool or unsigned.

    Raises:
        UnreadableImageError: it is unreadable, no plane of whole numbers, or of another shape.
    """
    image = read(path)
    pixels = image.pixels
    if pixels.ndim != 3 or pixels.dtype.kind not in "bu":
        raise UnreadableImageError(
            path, f"a mask of axes {image.axes} and type {pixels.dtype}", "expected one picture of whole numbers"
        )
    check_shape(path, pixels.shape[-2:], shape)
    return without_alpha(image)


def without_alpha(image: Image) -> np.ndarray:
    """The pixels (..., C, Y, X) of an image, less the channel of alpha if it is the last of several."""
    hidden = len(image.channel_names) > 1 and image.channel_names[-1] == "alpha"
    return image.pixels[..., :-1, :, :] if hidden else image.pixels


def check_shape(path: Path, found: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Refuse a mask of another height or width than its image.

    Raises:
        UnreadableImageError: the shapes differ.
    """
    if tuple(found) != tuple(shape):
        raise UnreadableImageError(
            path,
            f"the mask is {found[0]} × {found[1]} (height × width), its image {shape[0]} × {shape[1]}",
            "they must match pixel by pixel: take the mask of this image, or take both away",
        )
