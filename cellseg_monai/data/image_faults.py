"""Faults in an image, or in an image and its label, that several parts of the package report."""

from __future__ import annotations

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.faults import Fault
from cellseg_monai.io import Image

__all__ = ["reason_of", "shape_fault", "stack_fault"]


def stack_fault(image: Image, place: str) -> Fault | None:
    """Return a fault if an image is a stack instead of a single plane.

    Args:
        image: the image as it was read.
        place: name of the image file, as the fault shows it.
    """
    if image.axes == "CYX":
        return None
    sizes = ", ".join(f"{length} {axis}" for length, axis in zip(image.pixels.shape, image.axes, strict=True))
    message = f"got a stack ({sizes}), expected one plane (C, Y, X); save each plane, or a projection, as a file"
    return Fault(place, "stack", message)


def shape_fault(label: tuple[int, ...], image: tuple[int, ...], place: str) -> Fault | None:
    """Return a fault if a label and its image have different sizes.

    Args:
        label: height and width of the label in pixels.
        image: height and width of the image in pixels.
        place: name of the label file, as the fault shows it.

    >>> print(shape_fault((12, 16), (24, 32), "labels/a.tif"))
    labels/a.tif: shape-mismatch: the label is 12 × 16 (height × width), but its image is 24 × 32; pair each image with
    its own label
    """
    if label == image:
        return None
    message = (
        f"the label is {label[0]} × {label[1]} (height × width), but its image is {image[0]} × {image[1]}; "
        "pair each image with its own label"
    )
    return Fault(place, "shape-mismatch", message)


def reason_of(error: Exception) -> str:
    """Return an error message without the path, because the fault already names the file."""
    if isinstance(error, UnreadableImageError):
        return f"{error.reason}; {error.remedy}"
    return f"{type(error).__name__}: {error}"
