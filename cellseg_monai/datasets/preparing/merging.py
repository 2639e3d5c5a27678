"""Merging single-object masks, which may overlap, into one label image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cellseg_monai.datasets.preparing.preparer import Notes
from cellseg_monai.labels import relabel_sequential

__all__ = ["OVERLAP_RULE", "Mask", "cropped", "merge_masks"]

OVERLAP_RULE = (
    "Where objects overlap, the smaller one gets the shared pixels, because it might vanish otherwise. "
    "If two objects have the same area, the later one gets the shared pixels."
)


class Mask(NamedTuple):
    """The mask of one object, cropped to its bounding box.

    Attributes:
        row: first row of the bounding box in the image.
        column: first column of the bounding box in the image.
        pixels: YX bool array over the bounding box, True inside the object.
    """

    row: int
    column: int
    pixels: np.ndarray


def cropped(mask: np.ndarray) -> Mask:
    """Crop the mask of an object to its bounding box.

    Args:
        mask: YX bool mask of the whole image.

    >>> cropped(np.array([[False, False], [False, True]]))
    Mask(row=1, column=1, pixels=array([[ True]]))
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Mask(0, 0, mask[:0, :0])
    top, left = int(rows[0]), int(columns[0])
    return Mask(top, left, mask[top : rows[-1] + 1, left : columns[-1] + 1])


def merge_masks(shape: tuple[int, int], masks: Sequence[Mask]) -> tuple[np.ndarray, Notes]:
    """Merge object masks into one label image, with ids in the order of the masks.

    `OVERLAP_RULE` says which object gets a pixel that is in several masks.

    Args:
        shape: (height, width) of the image in pixels.
        masks: masks of the objects, all inside the image.

    Returns:
        The label image, YX int32 with ids 1 to n; and a dictionary of counts, which leaves out zeros. The counts are
        `overlapping_pixels` (pixels in more than one mask), `objects_lost` (objects entirely covered by others) and
        `empty_masks`.

    >>> large, small = Mask(0, 0, np.ones((2, 3), bool)), Mask(1, 2, np.ones((1, 2), bool))
    >>> labels, notes = merge_masks((2, 4), [large, small])
    >>> labels
    array([[1, 1, 1, 0],
           [1, 1, 2, 2]], dtype=int32)
    >>> notes
    {'overlapping_pixels': 1}
    """
    labels: np.ndarray = np.zeros(shape, np.int32)
    contested: np.ndarray = np.zeros(shape, bool)
    areas = [int(np.count_nonzero(mask.pixels)) for mask in masks]
    for number in sorted(range(len(masks)), key=lambda number: -areas[number]):
        row, column, pixels = masks[number]
        box = np.s_[row : row + pixels.shape[0], column : column + pixels.shape[1]]
        contested[box] |= pixels & (labels[box] > 0)
        labels[box][pixels] = number + 1
    labels = relabel_sequential(labels)
    empty = areas.count(0)
    notes = {
        "overlapping_pixels": int(np.count_nonzero(contested)),
        "objects_lost": len(masks) - empty - int(labels.max(initial=0)),
        "empty_masks": empty,
    }
    return labels, {name: count for name, count in notes.items() if count}
