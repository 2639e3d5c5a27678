"""Checks of a network definition before anything is built from it, because anybody may have written the checkpoint."""

from __future__ import annotations

import re
from typing import Any

from cellseg_monai.errors import BundleError

__all__ = ["check_definition"]

_NAME = re.compile(r"[\w.+ -]{0,100}")
# Arguments of networks in timm and MONAI through which weights are fetched, or read from a file. Some have namesakes,
# such as `use_checkpoint`, which are True or False, or numbers.
_SOURCES = re.compile("(^|_)(checkpoint|weights|cache|url|file|repo|dir|path)(_|$)", re.IGNORECASE)


def check_definition(definition: Any, place: str = "") -> None:
    """Check that a network can be built from a definition without reading a file or using the network connection.

    A checkpoint brings its weights, so its network needs none from elsewhere.

    Args:
        definition: plain data.
        place: the arguments that lead to this part of the definition, for messages.

    Raises:
        BundleError: an argument names a file, an address or a source of weights.

    >>> check_definition({"network": "unet", "channels": [16, 32], "encoder_weights": None})
    >>> check_definition({"encoder_name": "tu-hf-hub:someone/something"})
    Traceback (most recent call last):
    cellseg_monai.errors.BundleError: got encoder_name='tu-hf-hub:someone/something', expected a plain name, because a
    checkpoint brings its weights; use a checkpoint from this package
    """
    if isinstance(definition, dict):
        for name, value in definition.items():
            is_source = isinstance(name, str) and _SOURCES.search(name) and not isinstance(value, bool | int | float)
            if not isinstance(name, str) or (is_source and value) or (name.startswith("pretrained") and value):
                raise _refused(f"{place}{name}", value, "nothing of this name")
            check_definition(value, f"{place}{name}.")
    elif isinstance(definition, list | tuple):
        for value in definition:
            check_definition(value, place)
    elif isinstance(definition, str) and not _NAME.fullmatch(definition):
        raise _refused(place.rstrip("."), definition, "a plain name")


def _refused(name: str, value: Any, expected: str) -> BundleError:
    return BundleError(
        f"got {name}={value!r:.200}, expected {expected}, because a checkpoint brings its weights; use a checkpoint "
        "from this package"
    )
