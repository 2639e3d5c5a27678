"""An array that is in memory, as an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.io.arrangement import arrange
from cellseg_monai.io.axes import settle_axes, suggested_axes, times
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
    """Return an array with its axes in the order (T, P, Z,) C, Y, X, as `read` returns that of a file.

    Args:
        array: real numbers, whatever numpy takes for an array.
        axes: its axes, such as "ZYX" or "YXS", one letter of T, P, Z, C, Y, X, S a dimension; S are the samples of a
            colour. Only an array of Y and X needs none.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel.

    Raises:
        ValueError: if nobody says what its axes are, or if axes or names do not fit.

    >>> image_of_array(np.zeros((5, 4, 3), np.uint8), "YXS").channel_names
    ('red', 'green', 'blue')
    """
    pixels, name = np.asarray(array), Path("array")
    if axes is None and pixels.ndim != 2:
        raise ValueError(
            f"an array of {times(pixels.shape)} came, and nothing says what its axes are; pass "
            f"axes={suggested_axes(pixels.shape)}"
        )
    settled = settle_axes(name, pixels.shape, None, axes or "YX")
    return arrange(name, Stored(pixels, settled, tuple(channel_names), pixel_size_um), by_user=True)
