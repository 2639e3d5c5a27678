"""Compress the run lengths of many masks to COCO strings in one vectorised pass."""

from __future__ import annotations

import numpy as np

__all__ = ["compressed_counts"]


def compressed_counts(owners: np.ndarray, begins: np.ndarray, ends: np.ndarray, pixels: int) -> list[str]:
    """Return each mask as a string of run lengths, alternately outside and inside the mask, in COCO's compression.

    `datasets.preparing` and pycocotools read this format. Each number is split into groups of five bits, lowest bits
    first, and each group becomes a character, starting with "0" for 0. In a group, bit 32 means that another group
    follows, and bit 16 of the last group means that the number is negative. From the fourth number on, each is stored
    as its difference from the number two places earlier.

    Args:
        owners: number of the mask that each run belongs to, in increasing order.
        begins: index of the first pixel of each run, in increasing order within a mask; the runs in a mask must not
            touch.
        ends: index of the pixel after each run.
        pixels: number of pixels in the image.

    Returns:
        One string per mask.

    >>> compressed_counts(np.array([1, 2]), np.array([2, 0]), np.array([5, 7]), 7)
    ['232', '07']
    """
    first = np.r_[True, owners[1:] != owners[:-1]]
    last = np.r_[first[1:], True]
    gaps = begins - np.where(first, 0, np.r_[0, ends[:-1]])
    # Each run contributes the gap before it and its length. The last run of a mask adds the gap after it, if any.
    counts = np.stack([gaps, ends - begins, pixels - ends], axis=1)
    kept = np.stack([np.ones_like(last), np.ones_like(last), last & (ends < pixels)], axis=1)
    values = counts[kept]
    masks = np.cumsum(first) - 1
    mask_of_value: np.ndarray = np.repeat(masks, kept.sum(axis=1))
    sizes = np.bincount(mask_of_value)
    place = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    values[2:] = np.where(place[2:] > 2, values[2:] - values[:-2], values[2:])
    characters, lengths = _characters(values)
    edges = np.cumsum(np.bincount(mask_of_value, lengths).astype(np.int64)).tolist()
    return [characters[start:end] for start, end in zip([0, *edges[:-1]], edges, strict=True)]


def _characters(values: np.ndarray) -> tuple[str, np.ndarray]:
    """Return all numbers as one string, and the number of characters that each number takes."""
    written: list[np.ndarray] = []
    lengths: np.ndarray = np.zeros(len(values), np.int64)
    rest, unfinished = values, np.ones_like(values, bool)
    while unfinished.any():
        bits = rest & 31
        rest = rest >> 5
        more = np.where(bits & 16, rest != -1, rest != 0)
        written.append((bits | np.where(more, 32, 0)) + 48)
        lengths += unfinished
        unfinished = unfinished & more
    table = np.stack(written, axis=1).astype(np.uint8)
    kept = np.arange(table.shape[1]) < lengths[:, None]
    return table[kept].tobytes().decode("ascii"), lengths
