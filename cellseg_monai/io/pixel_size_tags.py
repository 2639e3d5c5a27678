"""Record the pixel size in label TIFFs, as metadata for `read` and as resolution for other programs."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_pixel_size", "size_tags"]

_UM_PER_CM = 10_000.0


def check_pixel_size(pixel_size_um: tuple[float, float] | None) -> None:
    """Reject an impossible pixel size.

    Args:
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown.

    Raises:
        ValueError: the height or width is not a positive length.
    """
    if pixel_size_um is not None and not all(np.isfinite(p) and p > 0 for p in pixel_size_um):
        raise ValueError(f"got pixel_size_um={pixel_size_um}, expected two positive lengths; pass height and width")


def size_tags(pixel_size_um: tuple[float, float] | None) -> dict[str, Any]:
    """Return the tifffile arguments that record the pixel size.

    Args:
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown.

    Raises:
        ValueError: the height or width is not a positive length.

    >>> size_tags((0.5, 0.25))["resolution"]
    (40000.0, 20000.0)
    """
    check_pixel_size(pixel_size_um)
    if pixel_size_um is None:
        return {"metadata": {}}
    height, width = map(float, pixel_size_um)
    return {
        "metadata": {"pixel_size_um": [height, width]},
        "resolution": (_UM_PER_CM / width, _UM_PER_CM / height),
        "resolutionunit": "CENTIMETER",
    }
