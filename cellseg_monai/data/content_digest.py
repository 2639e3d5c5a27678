"""SHA-256 of the images and labels that something was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cellseg_monai.digest import file_digest

__all__ = ["items_digest"]


def items_digest(items: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over the content of the image and label files of items, whatever their names, folders and order.

    Args:
        items: with the paths `image`, and `label` where there is one.

    Returns:
        64 hexadecimal digits.
    """
    pairs = sorted("".join(file_digest(Path(item[key])) for key in ("image", "label") if key in item) for item in items)
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()
