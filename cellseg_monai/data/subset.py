"""Subsets of images, to find out how many labelled ones are worth having."""

from __future__ import annotations

from collections.abc import Sequence

from cellseg_monai.data.split import Item
from cellseg_monai.digest import text_digest
from cellseg_monai.errors import DatasetError

__all__ = ["labelled_subset", "nested_subset"]


def nested_subset(items: Sequence[Item], size: int, *, seed: int) -> list[Item]:
    """Return some of the images; with the same seed, a larger subset contains every smaller one.

    Args:
        items: images to choose from.
        size: number of images.
        seed: seed of the order in which groups, and the images in them, are added.

    >>> items = [{"image": name, "group": name} for name in "abcdef"]
    >>> [[item["image"] for item in nested_subset(items, size, seed=0)] for size in (2, 4)]
    [['f', 'd'], ['f', 'd', 'a', 'c']]
    """

    def rank(item: Item) -> tuple[bytes, str, str]:
        group = str(item.get("group", item["image"]))
        return text_digest(f"{seed}:{group}"), group, item["image"]

    return sorted(items, key=rank)[:size]


def labelled_subset(items: Sequence[Item], size: int | None, *, seed: int) -> list[Item]:
    """Return all images, or the given number of them; see `nested_subset`.

    Args:
        items: labelled images.
        size: number of images to train on; None for all.
        seed: seed of the choice.

    Raises:
        DatasetError: there are fewer images.
        ValueError: the number is below 1.

    >>> labelled_subset([{"image": "a.tif"}], 3, seed=0)
    Traceback (most recent call last):
    cellseg_monai.errors.DatasetError: got labelled_images=3, but there are only 1 for training; lower the number
    """
    if size is None:
        return list(items)
    if size < 1:
        raise ValueError(f"got labelled_images={size}, expected a whole number from 1, or None for all images")
    if size > len(items):
        raise DatasetError(
            f"got labelled_images={size}, but there are only {len(items)} for training; lower the number"
        )
    return nested_subset(items, size, seed=seed)
