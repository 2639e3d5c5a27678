"""Images of any number of channels as 8 bit pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from cellseg_monai.io.image import Image
from cellseg_monai.pixels import Preprocessing, prepare

__all__ = ["channels_shown", "coloured", "measured_channels", "one_plane", "picture_of", "shrunk"]

_NO_LIGHT = ("alpha", "extra")  # what picture files hold beside what was measured
_COLOURS = ("red", "green", "blue")


def picture_of(image: Image) -> np.ndarray:
    """An image as a picture: its first three channels at most, each stretched between percentiles.

    One channel shows in grey, two in green and magenta, which colour-blind people tell apart, three in red, green and
    blue.

    Args:
        image: with the axes CYX.

    Returns:
        YX3 uint8.

    Raises:
        ValueError: a stack, or pixels that are no finite numbers.

    >>> picture_of(Image(np.array([[[0, 100]], [[100, 0]]], np.uint8), "CYX")).tolist()
    [[[255, 0, 255], [0, 255, 0]]]
    """
    shown = prepare(
        one_plane(image),
        Preprocessing(channels=tuple(measured_channels(image.channel_names, image.pixels.shape[-3])[:3])),
    )
    return coloured(shown)


def coloured(channels: np.ndarray) -> np.ndarray:
    """Up to three channels as a picture; see `picture_of` for their colours.

    Args:
        channels: CYX in [0, 1].

    Returns:
        YX3 uint8.

    >>> coloured(np.ones((1, 1, 1))).tolist()
    [[[255, 255, 255]]]
    """
    bytes_of: np.ndarray = np.rint(channels * 255).astype(np.uint8)
    order = {1: [0, 0, 0], 2: [1, 0, 1]}.get(len(channels), [0, 1, 2])
    return np.ascontiguousarray(bytes_of[order].transpose(1, 2, 0))


def channels_shown(image: Image) -> str:
    """Which channel has which colour; empty for grey and for colour images.

    >>> channels_shown(Image(np.zeros((4, 1, 1)), "CYX", channel_names=("DAPI", "actin", "", "ER")))
    'DAPI in red, actin in green, channel 2 in blue; 1 more not shown'
    """
    measured = measured_channels(image.channel_names, image.pixels.shape[-3])
    names = [image.channel_names[at] if image.channel_names else "" for at in measured]
    if len(measured) < 2 or tuple(map(str.lower, names)) == _COLOURS:
        return ""
    colours = ("green", "magenta") if len(measured) == 2 else _COLOURS
    named = [name or f"channel {at}" for at, name in zip(measured, names, strict=True)]
    told = [f"{name} in {colour}" for name, colour in zip(named, colours, strict=False)]
    left = f"; {len(measured) - 3} more not shown" if len(measured) > 3 else ""
    return ", ".join(told) + left


def shrunk(picture: np.ndarray, side_px: int) -> np.ndarray:
    """A picture whose longer side is so many pixels at most, each the mean of those that it stands for.

    Args:
        picture: YX3 uint8.
        side_px: the longest side that may be.

    >>> shrunk(np.full((2, 4, 3), 7, np.uint8), 2).shape
    (1, 2, 3)
    """
    longest = max(picture.shape[:2])
    if longest <= side_px:
        return picture
    height, width = (max(1, round(length * side_px / longest)) for length in picture.shape[:2])
    return np.asarray(Pillow.fromarray(picture).resize((width, height), Pillow.Resampling.BOX))


def measured_channels(names: Sequence[str], count: int) -> list[int]:
    """The positions of the channels that hold what was measured, which opacity does not.

    Args:
        names: one a channel, or none.
        count: of the channels.

    >>> measured_channels(("red", "green", "blue", "alpha"), 4)
    [0, 1, 2]
    """
    return [at for at, name in enumerate(names or [""] * count) if name.lower() not in _NO_LIGHT]


def one_plane(image: Image) -> np.ndarray:
    """Its pixels, CYX.

    Raises:
        ValueError: a stack.
    """
    if image.axes != "CYX":
        sizes = ", ".join(f"{length} {axis}" for length, axis in zip(image.pixels.shape, image.axes, strict=True))
        raise ValueError(f"a stack ({sizes}) came, but one plane was expected; save the plane as an image of its own")
    return image.pixels
