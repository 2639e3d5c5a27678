"""Images as what a browser shows."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.io import Image
from cellseg_monai.io.display import measured_channels, one_plane

__all__ = ["grey_values", "jpeg", "palette_png"]


def grey_values(image: Image) -> np.ndarray:
    """What was measured at each pixel: the mean of the channels, in the units of the file.

    Args:
        image: with the axes CYX.

    Returns:
        YX float32.

    Raises:
        ValueError: a stack.

    >>> grey_values(Image(np.array([[[0, 100]], [[100, 50]]], np.uint8), "CYX"))
    array([[50., 75.]], dtype=float32)
    """
    return one_plane(image)[measured_channels(image.channel_names, image.pixels.shape[-3])].mean(
        axis=0, dtype=np.float32
    )


def jpeg(picture: np.ndarray) -> bytes:
    """A picture as JPEG, with one channel where it is grey.

    Args:
        picture: YX3 uint8.
    """
    grey = (picture == picture[..., :1]).all()
    written = io.BytesIO()
    Pillow.fromarray(picture[..., 0] if grey else picture).save(written, "JPEG", quality=85, optimize=True)
    return written.getvalue()


def palette_png(codes: np.ndarray, colours: list[tuple[int, int, int, int]]) -> bytes:
    """A layer of few colours as PNG.

    Args:
        codes: YX uint8, for each pixel the position of its colour.
        colours: red, green, blue and opacity of each, 0 to 255.
    """
    layer = Pillow.fromarray(codes)
    layer.putpalette([value for colour in colours for value in colour[:3]])
    written = io.BytesIO()
    layer.save(written, "PNG", optimize=True, transparency=bytes(colour[3] for colour in colours))
    return written.getvalue()
