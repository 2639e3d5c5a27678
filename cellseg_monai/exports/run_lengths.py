"""Compress the run lengths of many masks at the same time, as COCO does."""

from __future__ import annotations

import numpy as np

__all__ = ["compressed_counts"]


def compressed_counts(owners: np.ndarray, begins: np.ndarray, ends: np.ndarray, pixels: int) -> list[str]:
    """Return each mask as text: the lengths of its runs, alternately outside and inside, in COCO's compression.

    `data.preparing` and pycocotools read this format. Each number is written in groups of five bits, the lowest first,
    as characters from "0" on. Bit 32 marks that another group follows; bit 16 of the last group marks a negative
    number. From the fourth number on, the difference to the number two places before is written.

    Args:
        owners: mask of each run of pixels inside a mask; runs are sorted by mask.
        begins: first pixel of each run, increasing within a mask, with pixels outside between the runs.
        ends: pixel after the last of each run.
        pixels: number of pixels of the image.

    Returns:
        One text for each mask.

    >>> compressed_counts(np.array([1, 2]), np.array([2, 0]), np.array([5, 7]), 7)
    ['232', '07']
    """
    first = np.r_[True, owners[1:] != owners[:-1]]
    last = np.r_[first[1:], True]
    gaps = begins - np.where(first, 0, np.r_[0, ends[:-1]])
    # For each run the gap before it and its length; for the last run of a mask also the gap after it, if any.
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
    """Return all numbers as characters, and the number of characters of each."""
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
