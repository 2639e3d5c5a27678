"""Which channels of an image a network sees: the channel policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["check_policy", "select_channels"]

# ITU-R BT.601, section 2.5.1: the luma weights that Pillow, OpenCV and most published pipelines use.
_LUMA_601 = (0.299, 0.587, 0.114)
_COLOURS = {("red", "green", "blue"), ("r", "g", "b"), ("r", "g", "b", "a")}
# What pictures hold after their colours: no light that a microscope measured.
_BESIDE = {"alpha", "extra"}
_IF_COLOUR = (
    "; if they are red, green and blue, say so: by channel_names, or by axes with S, such as axes='YXS', "
    "where the file is read"
)


def check_policy(policy: object) -> str | tuple[str | int, ...]:
    """The channel policy in its one form: "grey", "rgb" or a tuple of names and indices.

    Args:
        policy: what a user or a JSON file says.

    Raises:
        ValueError: anything else.

    >>> check_policy(["DAPI", 2])
    ('DAPI', 2)
    """
    if policy in ("grey", "rgb"):
        return str(policy)
    if isinstance(policy, (list, tuple)) and policy and all(_is_key(key) for key in policy):
        return tuple(policy)
    raise ValueError(
        f"channels={policy!r} is no channel policy; expected 'grey', 'rgb' or a list of channel names "
        "or indices from 0, such as ['DAPI', 'GFP'] or [0, 2]"
    )


def select_channels(
    pixels: np.ndarray, policy: str | Sequence[str | int], *, channel_names: Sequence[str] = ()
) -> np.ndarray:
    """The channels that a policy asks for, in the order it gives.

    Under "grey" one channel stays as it is, and colour becomes its luma (ITU-R BT.601); colour whose
    three channels are equal, a grey image stored as RGB, is that grey image, value for value. Under
    "rgb" grey is repeated three times. Under both, channels named alpha or extra are dropped. A list
    names the channels, or counts them from 0. Colour are three channels named red, green and blue;
    any others, and those without names, may be stains, which no policy but a list may choose between.

    Args:
        pixels: CYX, any real dtype.
        policy: "grey", "rgb", or names and indices of channels.
        channel_names: the names of the image's channels, if it states any; "" for one without.

    Returns:
        CYX. The dtype of `pixels`, except luma: float32, or float64 where `pixels` is wider than that.
        May share memory with `pixels`.

    Raises:
        ValueError: the image does not have what the policy asks for; the message names what it has.

    >>> red = np.zeros((3, 1, 1), np.uint8)
    >>> red[0] = 100
    >>> select_channels(red, "grey", channel_names=["red", "green", "blue"])
    array([[[29.9]]], dtype=float32)
    >>> select_channels(red, ["g"], channel_names=["r", "g", "b"])
    array([[[0]]], dtype=uint8)
    """
    policy = check_policy(policy)
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(
            f"pixels of shape {pixels.shape} came, but (C, Y, X), none of them 0, was expected; "
            "choose one plane of a stack first, and give a grey image its channel axis"
        )
    if not isinstance(policy, str):
        return pixels[[_position(key, len(pixels), channel_names) for key in policy]]
    shown, names = _without_beside(pixels, channel_names)
    if len(shown) == 1:
        return shown if policy == "grey" else np.repeat(shown, 3, axis=0)
    if tuple(name.lower() for name in names) not in _COLOURS:
        first = (channel_names and channel_names[0]) or 0
        unnamed = "" if any(channel_names) or len(pixels) not in (3, 4) else _IF_COLOUR
        raise ValueError(
            f"channels='{policy}' expects a grey, RGB or RGBA image, but {len(pixels)} channels came "
            f"({_listing(len(pixels), channel_names)}); set channels to a list of those to use, "
            f"such as {[first]!r}, --channels {first} on the command line{unnamed}"
        )
    return shown[:3] if policy == "rgb" else _luma(shown[:3])  # "a" of r, g, b, a stays behind


def _is_key(key: object) -> bool:
    return isinstance(key, str) or (type(key) is int and key >= 0)


def _luma(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return rgb[:1]
    dtype = np.result_type(rgb.dtype, np.float32)
    weighted = [channel.astype(dtype) * dtype.type(w) for channel, w in zip(rgb, _LUMA_601, strict=True)]
    return (weighted[0] + weighted[1] + weighted[2])[np.newaxis]


def _without_beside(pixels: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
    count = len(pixels)
    while len(names) == len(pixels) and count > 1 and names[count - 1].lower() in _BESIDE:
        count -= 1
    return (pixels[:count], names[:count]) if count < len(pixels) else (pixels, names)


def _position(key: str | int, count: int, names: Sequence[str]) -> int:
    if isinstance(key, int) and key < count:
        return key
    found = [i for i, name in enumerate(names) if name == key and name]
    if len(found) == 1:
        return found[0]
    if found:
        problem, remedy = f"{len(found)} channels are named {key!r}", "choose by index instead"
    elif isinstance(key, str) and not any(names):
        problem = f"channel {key!r} was asked for, but the image states no channel names"
        remedy = "choose by index, or name its channels"
    else:
        problem, remedy = f"the image has no channel {key!r}", "correct channels"
    raise ValueError(f"{problem}; it has {_listing(count, names)}: {remedy}")


def _listing(count: int, names: Sequence[str]) -> str:
    if any(names):
        return ", ".join(f"{i} {name!r}" if name else f"{i} unnamed" for i, name in enumerate(names))
    return f"{count} unnamed, 0 to {count - 1}" if count > 1 else "1 unnamed, 0"
