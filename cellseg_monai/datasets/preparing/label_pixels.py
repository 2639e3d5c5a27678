"""Reading label files, and checking that they match their images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import Image, read, read_labels

__all__ = ["check_size", "label_ids", "mask_channels", "without_alpha"]


def mask_channels(path: Path, shape: tuple[int, int], *, exact: bool = True) -> np.ndarray:
    """Read a mask that is stored as a picture, and return its channels without alpha.

    Args:
        path: the mask file.
        shape: (height, width) of the image, which the mask must match, in pixels.
        exact: True if the pixel values must be exact, which rules out JPEG files.

    Returns:
        CYX array, bool or unsigned integers.

    Raises:
        UnreadableImageError: the file cannot be read, is a JPEG although values must be exact, is not a single plane of
            unsigned integers, or differs in size from the image.
    """
    if exact:
        _check_lossless(path)
    image = read(path)
    pixels = image.pixels
    if pixels.ndim != 3 or pixels.dtype.kind not in "bu":
        raise UnreadableImageError(
            path,
            f"got a mask with axes {image.axes} and dtype {pixels.dtype}, expected one plane of unsigned integers",
            "export the mask as 8-bit or 16-bit PNG",
        )
    check_size(path, "the mask", pixels.shape[-2:], shape)
    return without_alpha(image)


def label_ids(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read an integer label image, and return its ids unchanged.

    Args:
        path: the label file.
        shape: (height, width) of the image, which the labels must match, in pixels.

    Returns:
        YX array of integers; see `io.read_labels`.

    Raises:
        UnreadableImageError: the file cannot be read, is a JPEG, or differs in size from the image.
    """
    _check_lossless(path)
    labels = read_labels(path)
    check_size(path, "the mask", labels.shape, shape)
    return labels


def without_alpha(image: Image) -> np.ndarray:
    """Return the pixels of an image without its alpha channel, if it has one.

    Args:
        image: an image whose axes end in CYX.

    Returns:
        (..., C, Y, X) array with the dtype of the image.
    """
    has_alpha = len(image.channel_names) > 1 and image.channel_names[-1] == "alpha"
    return image.pixels[..., :-1, :, :] if has_alpha else image.pixels


def check_size(path: Path, name: str, size: tuple[int, ...], shape: tuple[int, int]) -> None:
    """Check that labels and image have the same size.

    Args:
        path: the label file.
        name: what the error message calls the labels, such as "the mask".
        size: (height, width) of the labels in pixels.
        shape: (height, width) of the image in pixels.

    Raises:
        UnreadableImageError: the sizes differ.
    """
    if tuple(size) != tuple(shape):
        raise UnreadableImageError(
            path,
            f"{name} is {size[0]} × {size[1]} (height × width), but the image is {shape[0]} × {shape[1]}",
            "use the labels that belong to this image, or remove both files",
        )


def _check_lossless(path: Path) -> None:
    """Reject files with a JPEG suffix, because JPEG compression blurs edges and so changes ids and borders."""
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise UnreadableImageError(
            path, "got JPEG labels, but JPEG changes values along edges", "export the original labels as PNG or TIFF"
        )
