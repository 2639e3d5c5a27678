"""Make an image of an array in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.io.arrangement import arrange
from cellseg_monai.io.axes import settle_axes, shape_text, suggested_axes
from cellseg_monai.io.image import Image
from cellseg_monai.io.stored import Stored

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
        array: real numbers, in any form that numpy converts to an array.
        axes: axes of the array, such as "ZYX" or "YXS": one of the letters T, P, Z, C, Y, X, S for each dimension,
            where S are the samples of a colour. Only a 2-D array, which is Y and X, needs none.
        channel_names: one name for each channel, or empty.
        pixel_size_um: height and width of a pixel.

    Raises:
        ValueError: the axes are missing, or the axes or names do not fit the array.

    >>> image_of_array(np.zeros((5, 4, 3), np.uint8), "YXS").channel_names
    ('red', 'green', 'blue')
    """
    pixels, name = np.asarray(array), Path("array")
    if axes is None and pixels.ndim != 2:
        raise ValueError(
            f"got an array of {shape_text(pixels.shape)} without axes; pass axes={suggested_axes(pixels.shape)}"
        )
    settled = settle_axes(name, pixels.shape, None, axes or "YX")
    return arrange(name, Stored(pixels, settled, tuple(channel_names), pixel_size_um), by_user=True)
