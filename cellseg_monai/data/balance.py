"""Weights by which small data sets are seen more often than their size warrants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cellseg_monai.data.split import Item

__all__ = ["balanced_weights"]


def balanced_weights(items: Sequence[Item], tag: str, power: float = 0.5) -> list[float]:
    """Return how often each image should be drawn, so that no value of a tag crowds out the others.

    The images with one value of the tag are drawn in proportion to their number to the power of `1 - power`.

    Args:
        items: images of a section.
        tag: name of the tag; images without it count as one group.
        power: 0 for the same weight for every image, 1 for the same weight for every value of the tag.

    Returns:
        A weight per image; the weights sum to 1.

    >>> few = {"image": "a.tif", "group": "a", "tags": {"dataset": "few"}}
    >>> many = {"image": "b.tif", "group": "b", "tags": {"dataset": "many"}}
    >>> [round(weight, 3) for weight in balanced_weights([few, many, many, many, many], "dataset")]
    [0.333, 0.167, 0.167, 0.167, 0.167]
    """
    values = [item.get("tags", {}).get(tag) for item in items]
    counts = Counter(values)
    weights = [counts[value] ** -power for value in values]
    total = sum(weights)
    return [weight / total for weight in weights]
