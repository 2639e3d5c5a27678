"""SHA-256 of the images and labels that something was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cellseg_monai.digest import file_digest

__all__ = ["items_digest"]


def items_digest(items: Iterable[Mapping[str, Any]]) -> str:
    """Return a SHA-256 of the image and label files of items, which does not depend on names, folders or order.

    Args:
        items: mappings with the path `image` and, for a labelled image, the path `label`.

    Returns:
        64 hexadecimal digits.
    """
    pairs = sorted("".join(file_digest(Path(item[key])) for key in ("image", "label") if key in item) for item in items)
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()
