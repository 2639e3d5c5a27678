"""Groups of images that share the value of a tag, such as a cell type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["positions_by_tag", "text_tags"]

_MOST_VALUES = 30  # beyond, the values rather name images than kinds of images


def text_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return the known tags of an image whose values are text.

    >>> text_tags({"cell_type": "BV2", "stain": "", "dose_um": 2.0})
    {'cell_type': 'BV2'}
    """
    return {name: value for name, value in tags.items() if isinstance(value, str) and value}


def positions_by_tag(tags: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[int]]]:
    """Return the positions of the images with each value of each tag, in alphabetical order.

    Tags with a single value divide nothing, and tags with more than 30 values name images rather than kinds of images.
    Both are left out.

    Args:
        tags: the tags of each image.

    >>> positions_by_tag([{"cell_type": "BV2"}, {"cell_type": "A172"}, {}, {"cell_type": "BV2"}])
    {'cell_type': {'A172': [1], 'BV2': [0, 3]}}
    """
    positions: dict[str, dict[str, list[int]]] = {}
    for position, of_image in enumerate(tags):
        for name, value in text_tags(of_image).items():
            positions.setdefault(name, {}).setdefault(value, []).append(position)
    return {
        name: dict(sorted(by_value.items()))
        for name, by_value in sorted(positions.items())
        if 1 < len(by_value) <= _MOST_VALUES
    }
