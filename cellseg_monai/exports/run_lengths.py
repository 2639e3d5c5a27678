"""COCO's compressed run lengths, of many masks at once."""

from __future__ import annotations

import numpy as np

__all__ = ["compressed_counts"]


def compressed_counts(owners: np.ndarray, begins: np.ndarray, ends: np.ndarray, pixels: int) -> list[str]:
    """The text of each mask: lengths of runs by turns outside and inside, as `data.preparing` and pycocotools read it.

    Each number is written in groups of five bits, the lowest first, as characters from "0" on; 32 marks that another
    group follows, 16 in the last one a negative number. From the fourth number on it is the difference to the number
    before the previous one.

    Args:
        owners: of each run of pixels inside, its mask, mask after mask.
        begins: the first pixel of each, increasing within a mask, with pixels outside between them.
        ends: the pixel after the last.
        pixels: of the image.

    Returns:
        One a mask.

    >>> compressed_counts(np.array([1, 2]), np.array([2, 0]), np.array([5, 7]), 7)
    ['232', '07']
    """
    first = np.r_[True, owners[1:] != owners[:-1]]
    last = np.r_[first[1:], True]
    gaps = begins - np.where(first, 0, np.r_[0, ends[:-1]])
    # Of each run the gap before it and its length; of the last of a mask also the gap behind it, if there is one.
    counts = np.stack([gaps, ends - begins, pixels - ends], axis=1)
    kept = np.stack([np.ones_like(last), np.ones_like(last), last & (ends < pixels)], axis=1)
    values = counts[kept]
    masks = np.cumsum(first) - 1
    belongs: np.ndarray = np.repeat(masks, kept.sum(axis=1))
    sizes = np.bincount(belongs)
    place = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    values[2:] = np.where(place[2:] > 2, values[2:] - values[:-2], values[2:])
    characters, lengths = _characters(values)
    edges = np.cumsum(np.bincount(belongs, lengths).astype(np.int64)).tolist()
    return [characters[start:end] for start, end in zip([0, *edges[:-1]], edges, strict=True)]


def _characters(values: np.ndarray) -> tuple[str, np.ndarray]:
    """All numbers as characters, and how many each has."""
    written: list[np.ndarray] = []
    lengths: np.ndarray = np.zeros(len(values), np.int64)
    left, open_ones = values, np.ones_like(values, bool)
    while open_ones.any():
        bits = left & 31
        left = left >> 5
        more = np.where(bits & 16, left != -1, left != 0)
        written.append((bits | np.where(more, 32, 0)) + 48)
        lengths += open_ones
        open_ones = open_ones & more
    table = np.stack(written, axis=1).astype(np.uint8)
    kept = np.arange(table.shape[1]) < lengths[:, None]
    return table[kept].tobytes().decode("ascii"), lengths
