"""Subsets of images, to find out how many labelled ones are worth having."""

from __future__ import annotations

from collections.abc import Sequence

from cellseg_monai.data.split import Item
from cellseg_monai.digest import text_digest
from cellseg_monai.errors import DatasetError

__all__ = ["labelled_subset", "nested_subset"]


def nested_subset(items: Sequence[Item], size: int, *, seed: int) -> list[Item]:
    """Return some of the images; with the same seed, a larger subset contains every smaller one.

    Whole groups are added one after the other. Within a group, images are added in the order of their paths.

    Args:
        items: images to choose from.
        size: number of images.
        seed: seed of the order of the groups.

    Returns:
        The chosen images in the order in which they are added; all if there are no more than `size`.

    >>> items = [{"image": name, "group": name} for name in "abcdef"]
    >>> [[item["image"] for item in nested_subset(items, size, seed=0)] for size in (2, 4)]
    [['f', 'd'], ['f', 'd', 'a', 'c']]
    """

    def rank(item: Item) -> tuple[bytes, str, str]:
        group = str(item.get("group", item["image"]))
        return text_digest(f"{seed}:{group}"), group, item["image"]

    return sorted(items, key=rank)[:size]


def labelled_subset(items: Sequence[Item], size: int | None, *, seed: int) -> list[Item]:
    """Return all images for training, or the given number of them; see `nested_subset`.

    The images for validation are another section, all of which is used, so their labels are needed in addition.

    Args:
        items: labelled images for training.
        size: number of images to train on; None for all.
        seed: seed of the choice.

    Raises:
        DatasetError: there are fewer images, or the number is no whole number from 1.

    >>> labelled_subset([{"image": "a.tif"}], 3, seed=0)
    Traceback (most recent call last):
    cellseg_monai.errors.DatasetError: got labelled_images=3, but there are only 1 for training; lower the number
    """
    if size is None:
        return list(items)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        # Not a ValueError or TypeError, which MONAI's command line would bury in a traceback.
        raise DatasetError(
            f"got labelled_images={size!r}, expected a whole number from 1, or None for all images; change the number"
        )
    if size > len(items):
        raise DatasetError(
            f"got labelled_images={size}, but there are only {len(items)} for training; lower the number"
        )
    return nested_subset(items, size, seed=seed)
