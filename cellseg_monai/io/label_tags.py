"""How a label TIFF of ours states the size of a pixel: to `read`, and to other programs as resolution."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_pixel_size", "size_tags"]

_UM_PER_CM = 10_000.0


def check_pixel_size(pixel_size_um: tuple[float, float] | None) -> None:
    """Refuse what is no size of a pixel.

    Raises:
        ValueError: if height or width is no positive length.
    """
    if pixel_size_um is not None and not all(np.isfinite(p) and p > 0 for p in pixel_size_um):
        raise ValueError(f"pixel_size_um is {pixel_size_um}; it must be two positive lengths")


def size_tags(pixel_size_um: tuple[float, float] | None) -> dict[str, Any]:
    """Return the arguments of tifffile that state the size of a pixel.

    Raises:
        ValueError: if height or width is no positive length.

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
