"""Choose the channels of an image that a network sees, by the channel policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["check_policy", "select_channels"]

# ITU-R BT.601, section 2.5.1: the luma weights that Pillow, OpenCV and most published pipelines use.
_LUMA_601 = (0.299, 0.587, 0.114)
_COLOURS = {("red", "green", "blue"), ("r", "g", "b"), ("r", "g", "b", "a")}
# Channels after the colours of a picture that hold no measured light.
_NOT_LIGHT = {"alpha", "extra"}
_IF_COLOUR = (
    "; if they are red, green and blue, say so by channel_names, or by axes with S, such as axes='YXS', "
    "when the file is read"
)


def check_policy(policy: object) -> str | tuple[str | int, ...]:
    """Return the channel policy in its normal form: "grey", "rgb" or a tuple of names and indices.

    Args:
        policy: policy from a user or a JSON file.

    Raises:
        ValueError: the policy is anything else.

    >>> check_policy(["DAPI", 2])
    ('DAPI', 2)
    """
    if policy in ("grey", "rgb"):
        return str(policy)
    if isinstance(policy, (list, tuple)) and policy and all(_is_key(key) for key in policy):
        return tuple(policy)
    raise ValueError(
        f"got channels={policy!r}, expected 'grey', 'rgb' or a list of channel names or indices from 0; "
        "pass for example ['DAPI', 'GFP'] or [0, 2]"
    )


def select_channels(
    pixels: np.ndarray, policy: str | Sequence[str | int], *, channel_names: Sequence[str] = ()
) -> np.ndarray:
    """Return the channels that a policy asks for, in its order.

    Under "grey" a single channel stays as it is, and colour becomes its luma (ITU-R BT.601). Colour whose three
    channels are equal is a grey image stored as RGB, and becomes that grey image with the same values. Under "rgb" grey
    is repeated three times. Under both, channels named alpha or extra are dropped. A list gives the names of the
    channels, or their indices from 0. Only three channels named red, green and blue are a colour. Any others, and
    unnamed ones, could be stains, among which only a list can choose.

    Args:
        pixels: CYX, any real dtype.
        policy: "grey", "rgb", or names and indices of channels.
        channel_names: names of the channels, if the image states any; "" for an unnamed one.

    Returns:
        CYX with the dtype of `pixels`, except for luma, which is float32, or float64 if `pixels` is wider. Can share
        memory with `pixels`.

    Raises:
        ValueError: the image does not have what the policy asks for; the message lists what it has.

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
            f"got pixels of shape {pixels.shape}, expected (C, Y, X), none of them 0; "
            "choose one plane of a stack first, and add a channel axis to a grey image"
        )
    if not isinstance(policy, str):
        return pixels[[_position(key, len(pixels), channel_names) for key in policy]]
    light, names = _without_alpha(pixels, channel_names)
    if len(light) == 1:
        return light if policy == "grey" else np.repeat(light, 3, axis=0)
    if tuple(name.lower() for name in names) not in _COLOURS:
        first = (channel_names and channel_names[0]) or 0
        unnamed = "" if any(channel_names) or len(pixels) not in (3, 4) else _IF_COLOUR
        raise ValueError(
            f"channels='{policy}' expects a grey, RGB or RGBA image, got {len(pixels)} channels "
            f"({_listing(len(pixels), channel_names)}); set channels to a list of those to use, "
            f"such as {[first]!r}, or --channels {first} on the command line{unnamed}"
        )
    return light[:3] if policy == "rgb" else _luma(light[:3])  # drops "a" of r, g, b, a


def _is_key(key: object) -> bool:
    """Return True if an entry of a policy is a name or an index."""
    return isinstance(key, str) or (type(key) is int and key >= 0)


def _luma(rgb: np.ndarray) -> np.ndarray:
    """Return the luma of a colour, or the grey if all three channels are equal."""
    red, green, blue = rgb
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return rgb[:1]
    dtype = np.result_type(rgb.dtype, np.float32)
    weighted = [channel.astype(dtype) * dtype.type(w) for channel, w in zip(rgb, _LUMA_601, strict=True)]
    return (weighted[0] + weighted[1] + weighted[2])[np.newaxis]


def _without_alpha(pixels: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
    """Drop channels named alpha or extra at the end."""
    count = len(pixels)
    while len(names) == len(pixels) and count > 1 and names[count - 1].lower() in _NOT_LIGHT:
        count -= 1
    return (pixels[:count], names[:count]) if count < len(pixels) else (pixels, names)


def _position(key: str | int, count: int, names: Sequence[str]) -> int:
    """Return the index of the channel with a name or index."""
    if isinstance(key, int) and key < count:
        return key
    matches = [i for i, name in enumerate(names) if name == key and name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        problem, remedy = f"{len(matches)} channels are named {key!r}", "choose by index instead"
    elif isinstance(key, str) and not any(names):
        problem = f"channel {key!r} cannot be found, because the image states no channel names"
        remedy = "choose by index, or name its channels"
    else:
        problem, remedy = f"the image has no channel {key!r}", "correct channels"
    raise ValueError(f"{problem}; it has {_listing(count, names)}; {remedy}")


def _listing(count: int, names: Sequence[str]) -> str:
    """Return a list of the channels, for messages."""
    if any(names):
        return ", ".join(f"{i} {name!r}" if name else f"{i} unnamed" for i, name in enumerate(names))
    return f"{count} unnamed, 0 to {count - 1}" if count > 1 else "1 unnamed, 0"
