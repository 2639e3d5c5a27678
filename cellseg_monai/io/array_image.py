"""Turn an array in memory into an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.formats.axes import settle_axes, shape_text, suggested_axes
from cellseg_monai.formats.sizes import Sizes
from cellseg_monai.formats.stored import Stored
from cellseg_monai.io.arrangement import arrange
from cellseg_monai.io.image import Image

__all__ = ["image_of_array"]


def image_of_array(
    array: Any,
    axes: str | None = None,
    *,
    channel_names: Sequence[str] = (),
    pixel_size_um: tuple[float, float] | None = None,
) -> Image:
    """Return an array as an image with its axes in the order (T, P, Z,) C, Y, X, as `read` does for a file.

    Args:
        array: real numbers, as a NumPy array or anything that NumPy converts to one.
        axes: axes of the array, such as "ZYX" or "YXS": one of the letters T, P, Z, C, Y, X and S (the samples of a
            colour) for each dimension. Optional for a 2-D array, whose axes are "YX" by default.
        channel_names: one name per channel, or empty.
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown.

    Raises:
        ValueError: the axes are missing, or the axes or channel names do not fit the array.

    >>> image_of_array(np.zeros((5, 4, 3), np.uint8), "YXS").channel_names
    ('red', 'green', 'blue')
    """
    pixels, name = np.asarray(array), Path("array")
    if axes is None and pixels.ndim != 2:
        raise ValueError(
            f"got an array of shape {shape_text(pixels.shape)} without axes; pass axes={suggested_axes(pixels.shape)}"
        )
    settled = settle_axes(name, pixels.shape, None, axes or "YX")
    return arrange(name, Stored(pixels, settled, tuple(channel_names), Sizes(pixel_size_um)), by_user=True)
