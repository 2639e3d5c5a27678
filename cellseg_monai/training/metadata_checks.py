"""Checks of a checkpoint's content, because anybody may have written it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from cellseg_monai.errors import CheckpointError

__all__ = ["checked_metadata", "checked_weights"]


def checked_weights(state: Mapping[str, Any], checkpoint: object) -> Mapping[str, torch.Tensor]:
    """Return the weights in a `model.pt` or `last.pt`.

    Args:
        state: contents of the checkpoint.
        checkpoint: its path, for messages.

    Raises:
        CheckpointError: an entry is not a tensor of real numbers that are all there.
    """
    weights = state["network"] if set(state) >= {"network", "optimizer", "epoch"} else state
    if not isinstance(weights, Mapping):
        raise _refused(checkpoint, f"got a {type(weights).__name__} as weights, expected tensors by their names")
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _refused(checkpoint, f"got a {type(value).__name__} as {name!r}, expected a tensor")
        if not _is_dense(value):
            kind = f"{value.layout}, {value.dtype}, {value.device}".replace("torch.", "")
            raise _refused(checkpoint, f"got a tensor ({kind}) as {name!r}, expected an array of real numbers")
    return weights


def checked_metadata(metadata: Any, checkpoint: object) -> dict[str, Any]:
    """Return a checkpoint's metadata.

    Args:
        metadata: the metadata as it was read.
        checkpoint: path of the checkpoint, for messages.

    Raises:
        CheckpointError: an entry has the wrong type.
    """
    if not isinstance(metadata, Mapping):
        raise _refused(checkpoint, f"got a {type(metadata).__name__} as its metadata, expected entries by name")
    for name, value in metadata.items():
        kind, fits = _KINDS.get(name, ("plain data", _is_plain))
        if not _is_plain(value) or not fits(value):
            raise _refused(checkpoint, f"got {name}={value!r:.200}, expected {kind}")
    if metadata and "bundle" not in metadata:
        raise _refused(checkpoint, "its metadata has no bundle")
    return {"variants": [], **metadata} if metadata else {}


def _is_dense(value: torch.Tensor) -> bool:
    """Return True unless a tensor is sparse, nested, quantised, complex, or without content on the device `meta`."""
    is_plain = value.layout is torch.strided and value.device.type == "cpu"
    return is_plain and not (value.is_nested or value.is_quantized or value.is_complex())


def _refused(checkpoint: object, reason: str) -> CheckpointError:
    return CheckpointError(f"{checkpoint}: {reason}; use a checkpoint from this package")


def _is_plain(value: Any) -> bool:
    """Return True for what JSON can hold, nested at most 64 deep."""
    level = [value]
    for _ in range(64):
        if not all(part is None or isinstance(part, str | int | float | list | tuple | dict) for part in level):
            return False
        level = [
            part
            for parts in level
            if isinstance(parts, list | tuple | dict)
            for part in (parts.values() if isinstance(parts, dict) else parts)
        ]
    return not level


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list | tuple) else ()
    return len(sides) == 2 and all(type(side) is int and 0 < side < 2**16 for side in sides)


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "bundle": ("the name of a bundle", _is_text),
    "variants": ("a list of names", _is_texts),
    "network": ("a network definition", lambda value: value is None or _is_mapping(value)),
    "head": ("a head", _is_mapping),
    "preprocess": ("the settings of the preparation of images", _is_mapping),
    "roi_size": ("two numbers of pixels", lambda value: value is None or _is_size(value)),
    "overlap": ("a number from 0 to 1", _is_share),
    "key_metric": ("the name of a score", _is_text),
}
