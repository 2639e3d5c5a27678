"""Encoding images in formats that browsers display."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.io import Image
from cellseg_monai.io.display import measured_channels, one_plane

__all__ = ["grey_values", "jpeg", "palette_png"]


def grey_values(image: Image) -> np.ndarray:
    """Return the mean over the measured channels at each pixel, in the units of the image file.

    Args:
        image: image with axes CYX.

    Returns:
        YX float32.

    Raises:
        ValueError: the image is a stack.

    >>> grey_values(Image(np.array([[[0, 100]], [[100, 50]]], np.uint8), "CYX"))
    array([[50., 75.]], dtype=float32)
    """
    channels = measured_channels(image.channel_names, image.pixels.shape[-3])
    return one_plane(image)[channels].mean(axis=0, dtype=np.float32)


def jpeg(picture: np.ndarray) -> bytes:
    """Encode a picture as JPEG, as a single-channel JPEG if it is grey.

    Args:
        picture: YX3 uint8.
    """
    grey = (picture == picture[..., :1]).all()
    buffer = io.BytesIO()
    Pillow.fromarray(picture[..., 0] if grey else picture).save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def palette_png(codes: np.ndarray, colours: list[tuple[int, int, int, int]]) -> bytes:
    """Encode a layer that has few colours as a palette PNG.

    Args:
        codes: YX uint8, index into `colours` for each pixel.
        colours: red, green, blue and opacity of each colour, 0 to 255.
    """
    layer = Pillow.fromarray(codes)
    layer.putpalette([value for colour in colours for value in colour[:3]])
    buffer = io.BytesIO()
    layer.save(buffer, "PNG", optimize=True, transparency=bytes(colour[3] for colour in colours))
    return buffer.getvalue()
