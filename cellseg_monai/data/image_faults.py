"""What keeps an image, or an image and its label, from being used: the same words whoever finds it."""

from __future__ import annotations

from cellseg_monai.faults import Fault
from cellseg_monai.io import Image

__all__ = ["shape_fault", "stack_fault"]


def stack_fault(image: Image, place: str) -> Fault | None:
    """That an image is a stack, where one plane is needed.

    Args:
        image: as it was read.
        place: of its file.
    """
    if image.axes == "CYX":
        return None
    sizes = ", ".join(f"{length} {axis}" for length, axis in zip(image.pixels.shape, image.axes, strict=True))
    message = f"a stack ({sizes}); expected one plane (C, Y, X): save each plane, or a projection, by itself"
    return Fault(place, "stack", message)


def shape_fault(label: tuple[int, ...], image: tuple[int, ...], place: str) -> Fault | None:
    """That a label has another size than its image.

    Args:
        label: (Y, X) of the label.
        image: (Y, X) of the image.
        place: of the label's file.

    >>> print(shape_fault((12, 16), (24, 32), "labels/a.tif"))
    labels/a.tif: shape-mismatch: the label is 12 × 16 (height × width), its image 24 × 32; they must match pixel by
    pixel: pair each image with its own label
    """
    if label == image:
        return None
    message = (
        f"the label is {label[0]} × {label[1]} (height × width), its image {image[0]} × {image[1]}; they must match "
        "pixel by pixel: pair each image with its own label"
    )
    return Fault(place, "shape-mismatch", message)
