"""Select the image channels that a network sees, according to a channel policy."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

import numpy as np

__all__ = ["channels_from_text", "check_policy", "inverted", "select_channels"]

# Luma weights from ITU-R BT.601, section 2.5.1, which Pillow, OpenCV and most published pipelines use.
_LUMA_601 = (0.299, 0.587, 0.114)
_COLOURS = {("red", "green", "blue"), ("r", "g", "b"), ("r", "g", "b", "a")}
# Names of channels that hold no measured light and follow the light channels of an image.
_NOT_LIGHT = {"alpha", "extra"}
_IF_COLOUR = (
    "; if they are red, green and blue, pass channel_names, or axes with S, such as axes='YXS', when reading the file"
)


def check_policy(policy: object) -> str | tuple[str | int, ...]:
    """Check a channel policy and convert it to "grey", "rgb" or a tuple of names and indices.

    Args:
        policy: policy from a user or a JSON file.

    Raises:
        ValueError: the value is not a valid policy.

    >>> check_policy(["DAPI", 2])
    ('DAPI', 2)
    """
    if policy in ("grey", "rgb"):
        return str(policy)
    if isinstance(policy, (list, tuple)) and policy and all(_is_key(key) for key in policy):
        return tuple(policy)
    raise ValueError(
        f"got channels={policy!r}, expected 'grey', 'rgb' or a list of channel names or zero-based indices; "
        "pass ['DAPI', 'GFP'] or [0, 2], for example"
    )


def channels_from_text(text: str) -> tuple[str | int, ...]:
    """Return the channels that a text lists, such as the value of a flag.

    Args:
        text: names and zero-based indices, separated by commas; or a JSON list of them, in which names can contain
            commas or consist of digits.

    Raises:
        ValueError: the text begins like a JSON list but is not one.

    >>> channels_from_text("DAPI, 2"), channels_from_text('["DA,PI", "488", 2]')
    (('DAPI', 2), ('DA,PI', '488', 2))
    """
    if not text.lstrip().startswith("["):
        words = filter(None, map(str.strip, text.split(",")))
        return tuple(int(word) if word.isdecimal() else word for word in words)
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not keys or not all(_is_key(key) for key in keys):
        raise ValueError(
            f"got channels={text!r}, expected a JSON list of channel names in double quotes and zero-based indices; "
            """write it like '["DA,PI", 0]', with single quotes around it on the command line"""
        )
    return tuple(keys)


def select_channels(
    pixels: np.ndarray, policy: str | Sequence[str | int], *, channel_names: Sequence[str] = ()
) -> np.ndarray:
    """Select the channels that a policy asks for, in the order of the policy.

    - "grey" keeps a single channel as it is and converts a colour image to luma (ITU-R BT.601). A colour image with
      three equal channels is a grey image stored as RGB, so it keeps its values.
    - "rgb" keeps a colour image as it is and turns a single channel into three copies.
    - A list selects channels by name or zero-based index.

    "grey" and "rgb" drop channels named alpha or extra. They treat an image as colour only if its three channels are
    named red, green and blue. Other channels could be stains, which only a list can select.

    Args:
        pixels: CYX, any real dtype.
        policy: "grey", "rgb", or names and indices of channels.
        channel_names: channel names, if the image has any; "" for an unnamed channel.

    Returns:
        CYX with the dtype of `pixels`. Luma is float32, or float64 if `pixels` needs it. The result can share memory
        with `pixels`.

    Raises:
        ValueError: the image lacks channels that the policy asks for. The message lists the channels in the image.

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
            f"got pixels of shape {pixels.shape}, expected three non-empty axes (C, Y, X); "
            "pass one plane of a stack, or add a channel axis to a grey image"
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
            f"got an image with {len(pixels)} channels "
            f"({_listing(len(pixels), channel_names)}), expected a grey, RGB or RGBA image; set channels to a list, "
            f"such as {[first]!r}, or pass --channels {_flag_value(first)} on the command line{unnamed}"
        )
    return light[:3] if policy == "rgb" else _luma(light[:3])  # drops "a" of r, g, b, a


def inverted(pixels: np.ndarray) -> np.ndarray:
    """Turn dark into bright, without changing the differences between pixels.

    Args:
        pixels: array of any shape and real dtype.

    Returns:
        An array of the same dtype: the complement of integers and booleans, and the negative of floats.

    >>> inverted(np.array([0, 10, 255], np.uint8))
    array([255, 245,   0], dtype=uint8)
    """
    return -pixels if pixels.dtype.kind == "f" else ~pixels


def _is_key(key: object) -> bool:
    """Return True if an entry in a policy is a channel name or a channel index."""
    return isinstance(key, str) or (type(key) is int and key >= 0)


def _luma(rgb: np.ndarray) -> np.ndarray:
    """Return the luma of an RGB image, or its first channel if all three are equal."""
    red, green, blue = rgb
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return rgb[:1]
    dtype = np.result_type(rgb.dtype, np.float32)
    weighted = [channel.astype(dtype) * dtype.type(w) for channel, w in zip(rgb, _LUMA_601, strict=True)]
    return (weighted[0] + weighted[1] + weighted[2])[np.newaxis]


def _without_alpha(pixels: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
    """Drop trailing channels that are named alpha or extra, and their names."""
    count = len(pixels)
    while len(names) == len(pixels) and count > 1 and names[count - 1].lower() in _NOT_LIGHT:
        count -= 1
    return (pixels[:count], names[:count]) if count < len(pixels) else (pixels, names)


def _position(key: str | int, count: int, names: Sequence[str]) -> int:
    """Return the index of the channel that a policy entry refers to."""
    if isinstance(key, int) and key < count:
        return key
    matches = [i for i, name in enumerate(names) if name == key and name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        problem, remedy = f"{len(matches)} channels are named {key!r}", "choose by index instead"
    elif isinstance(key, str) and not any(names):
        problem = f"cannot find channel {key!r}, because the image has no channel names"
        remedy = "choose by index, or name the channels"
    else:
        problem, remedy = f"the image has no channel {key!r}", "choose one of these"
    raise ValueError(f"{problem}; it has {_listing(count, names)}; {remedy}")


def _flag_value(key: object) -> str:
    """Return a channel as the value of a flag, as a JSON list if its plain name would be read as something else."""
    try:
        is_plain = channels_from_text(str(key)) == (key,)
    except ValueError:
        is_plain = False
    return shlex.quote(str(key) if is_plain else json.dumps([key], ensure_ascii=False))


def _listing(count: int, names: Sequence[str]) -> str:
    """List the channels of an image for an error message."""
    if any(names):
        return ", ".join(f"{i} {name!r}" if name else f"{i} unnamed" for i, name in enumerate(names))
    return f"{count} unnamed, 0 to {count - 1}" if count > 1 else "1 unnamed, 0"
