"""Show images with any number of channels as 8-bit pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.io.image import Image
from cellseg_monai.pixels import Preprocessing, prepare

__all__ = ["channels_shown", "coloured", "measured_channels", "one_plane", "picture_of", "shrunk"]

_NOT_MEASURED = ("alpha", "extra")  # channels in picture files that hold no measurements
_COLOURS = ("red", "green", "blue")


def picture_of(image: Image) -> np.ndarray:
    """Return a picture of up to three channels of an image, each stretched between percentiles.

    A single channel is shown in grey. Two are shown in green and magenta, which colour-blind people can tell apart.
    Three are shown in red, green and blue.

    Args:
        image: image with the axes CYX.

    Returns:
        YX3 array of uint8.

    Raises:
        ValueError: the image is a stack, or has pixels that are not finite.

    >>> picture_of(Image(np.array([[[0, 100]], [[100, 0]]], np.uint8), "CYX")).tolist()
    [[[255, 0, 255], [0, 255, 0]]]
    """
    channels = prepare(
        one_plane(image),
        Preprocessing(channels=tuple(measured_channels(image.channel_names, image.pixels.shape[-3])[:3])),
    )
    return coloured(channels)


def coloured(channels: np.ndarray) -> np.ndarray:
    """Return up to three channels as a picture, in the colours that `picture_of` describes.

    Args:
        channels: CYX array in [0, 1].

    Returns:
        YX3 array of uint8.

    >>> coloured(np.ones((1, 1, 1))).tolist()
    [[[255, 255, 255]]]
    """
    values: np.ndarray = np.rint(channels * 255).astype(np.uint8)
    order = {1: [0, 0, 0], 2: [1, 0, 1]}.get(len(channels), [0, 1, 2])
    return np.ascontiguousarray(values[order].transpose(1, 2, 0))


def channels_shown(image: Image) -> str:
    """Return a caption that says which colour shows which channel, or an empty string for grey and RGB images.

    >>> channels_shown(Image(np.zeros((4, 1, 1)), "CYX", channel_names=("DAPI", "actin", "", "ER")))
    'DAPI in red, actin in green, channel 2 in blue; 1 more not shown'
    """
    measured = measured_channels(image.channel_names, image.pixels.shape[-3])
    names = [image.channel_names[index] if image.channel_names else "" for index in measured]
    if len(measured) < 2 or tuple(map(str.lower, names)) == _COLOURS:
        return ""
    colours = ("green", "magenta") if len(measured) == 2 else _COLOURS
    titles = [name or f"channel {index}" for index, name in zip(measured, names, strict=True)]
    parts = [f"{title} in {colour}" for title, colour in zip(titles, colours, strict=False)]
    remainder = f"; {len(measured) - 3} more not shown" if len(measured) > 3 else ""
    return ", ".join(parts) + remainder


def shrunk(picture: np.ndarray, side_px: int) -> np.ndarray:
    """Return a picture scaled down to a maximum size; each new pixel is the mean of the pixels that it replaces.

    Args:
        picture: YX3 array of uint8.
        side_px: maximum length of the longer side, in pixels.

    >>> shrunk(np.full((2, 4, 3), 7, np.uint8), 2).shape
    (1, 2, 3)
    """
    longest = max(picture.shape[:2])
    if longest <= side_px:
        return picture
    height, width = (max(1, round(length * side_px / longest)) for length in picture.shape[:2])
    return np.asarray(Pillow.fromarray(picture).resize((width, height), Pillow.Resampling.BOX))


def measured_channels(names: Sequence[str], count: int) -> list[int]:
    """Return the indices of the channels that hold measurements, leaving out alpha and extra samples.

    Args:
        names: one name per channel, or empty.
        count: number of channels.

    >>> measured_channels(("red", "green", "blue", "alpha"), 4)
    [0, 1, 2]
    """
    return [index for index, name in enumerate(names or [""] * count) if name.lower() not in _NOT_MEASURED]


def one_plane(image: Image) -> np.ndarray:
    """Return the CYX pixels of an image after checking that it is a single plane.

    Raises:
        ValueError: the image is a stack.
    """
    if image.axes != "CYX":
        sizes = ", ".join(f"{length} {axis}" for length, axis in zip(image.pixels.shape, image.axes, strict=True))
        raise ValueError(f"got a stack ({sizes}), expected one plane; save the plane as a separate image")
    return image.pixels
