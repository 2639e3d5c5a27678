"""A SHA-256 that identifies a set of images and labels by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cellseg_monai.digest import file_digest

__all__ = ["items_digest"]


def items_digest(items: Iterable[Mapping[str, Any]]) -> str:
    """Return a SHA-256 of the image and label files in some items, regardless of file names, folders and order.

    Args:
        items: mappings with the path `image` and, if the image is labelled, the path `label`.

    Returns:
        64 hexadecimal digits.
    """
    pairs = sorted("".join(file_digest(Path(item[key])) for key in ("image", "label") if key in item) for item in items)
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()
