"""Find seeds at the peaks of a distance map, and merge the basins that the seeds flood."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.labels.relabel import id_runs, look_up

__all__ = ["merge_basins", "peak_seeds"]

# A peak is a maximum within this distance along both axes. Packed components are separated by the same distance, so
# the search never sees another component.
_PEAK_RADIUS = 2
# Block size chosen to fit in the cache.
_BLOCK_PIXELS = 2**15


def peak_seeds(components: ComponentRuns, heights: np.ndarray, least_depth: float) -> np.ndarray:
    """Find the peaks from which basins are flooded.

    A peak is a pixel that no nearby pixel exceeds, or the highest pixel of its component.

    Args:
        components: foreground components, at least two pixels apart.
        heights: Y×X float32 or float64, high in the middle of objects.
        least_depth: depth that will be passed to `merge_basins`. Peaks certain to be merged at this depth can share a
            seed.

    Returns:
        Y×X int32 of positive seed ids, possibly with gaps; 0 is no seed.
    """
    mask = components.label_image > 0
    run_heights = _highest(components.numbers, components.starts, components.lengths, heights)
    highest = components.paint(run_heights)
    peaks = ((heights == _highest_near(heights)) | (heights == highest)) & mask
    # Basins of pixels this close to the component's maximum would be merged anyway, so let these pixels share a seed.
    # Most components then need no flooding.
    seeds = peaks | (heights > highest - heights.dtype.type(least_depth))
    # Peaks of equal height can touch at a corner. Join them through the two pixels next to that corner, if foreground.
    falling, rising = peaks[:-1, :-1] & peaks[1:, 1:], peaks[:-1, 1:] & peaks[1:, :-1]
    for corner, pair in (
        (seeds[:-1, 1:], falling),
        (seeds[1:, :-1], falling),
        (seeds[:-1, :-1], rising),
        (seeds[1:, 1:], rising),
    ):
        corner |= pair
    numbers, count = ndimage.label(seeds & mask)
    kept: np.ndarray = np.zeros(count + 1, np.int32)
    with_peak = numbers[peaks]
    kept[with_peak] = with_peak
    return numbers if kept[1:].all() else look_up(kept, numbers)


def _highest_near(heights: np.ndarray) -> np.ndarray:
    """Return the maximum in the square around each pixel, like `scipy.ndimage.maximum_filter`, but faster."""
    height, width = heights.shape
    padded = np.pad(heights, _PEAK_RADIUS, constant_values=-np.inf)
    highest = np.empty_like(heights)
    rows = max(1, _BLOCK_PIXELS // padded.shape[1])
    for top in range(0, height, rows):
        block = highest[top : top + rows]
        column_maxima = padded[top : top + len(block)].copy()
        for offset in range(1, 2 * _PEAK_RADIUS + 1):
            np.maximum(column_maxima, padded[top + offset :][: len(block)], out=column_maxima)
        block[:] = column_maxima[:, :width]
        for offset in range(1, 2 * _PEAK_RADIUS + 1):
            np.maximum(block, column_maxima[:, offset : offset + width], out=block)
    return highest


def _highest(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return the greatest height of each id, in an array indexed by id.

    Args:
        ids: id of each run.
        starts: index of the first pixel of each run in the flattened image, in increasing order.
        lengths: number of pixels in each run.
        heights: Y×X floats.
    """
    edges = np.stack([starts, starts + lengths], axis=1).ravel()
    within = edges[:-1] if edges[-1] == heights.size else edges
    highest: np.ndarray = np.full(ids.max() + 1, -np.inf, heights.dtype)
    np.maximum.at(highest, ids, np.maximum.reduceat(heights.ravel(), within)[::2])
    return highest


def merge_basins(basins: np.ndarray, heights: np.ndarray, least_depth: float) -> np.ndarray:
    """Merge each basin whose peak rises too little above a saddle into the basin on the other side.

    Saddles are processed from the highest to the lowest.

    Args:
        basins: Y×X int32 of positive ids; 0 is background.
        heights: Y×X floats, high in the middle of objects.
        least_depth: height by which a peak must rise above a saddle for its basin to stay separate.

    Returns:
        int32 array indexed by old id, holding the id of the merged basin.
    """
    owners: np.ndarray = np.arange(basins.max(initial=0) + 1, dtype=np.int32)
    firsts, seconds, saddles = _saddles(basins, heights)
    if not len(firsts):
        return owners
    peaks = _highest(*id_runs(basins), heights).tolist()
    for low, high, saddle in zip(firsts.tolist(), seconds.tolist(), saddles.tolist(), strict=True):
        low, high = _root(owners, low), _root(owners, high)
        if low == high:
            continue
        if peaks[low] >= peaks[high]:
            low, high = high, low
        if peaks[low] - saddle < least_depth:
            owners[low] = high
    while (owners != owners[owners]).any():
        owners = owners[owners]
    return owners


def _root(owners: np.ndarray, basin: int) -> int:
    while owners[basin] != basin:
        owners[basin] = owners[owners[basin]]
        basin = int(owners[basin])
    return basin


def _saddles(basins: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find pairs of adjacent basins.

    Returns:
        Three arrays: the lower id of each pair, the higher id, and the height of the saddle between the two basins.
        Pairs are sorted from the highest saddle to the lowest.
    """
    count = int(basins.max(initial=0)) + 1
    pairs, passes = [], []
    for here, there in (
        ((slice(None, -1),), (slice(1, None),)),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        first, second = basins[here], basins[there]
        meeting = (first != second) & (first > 0) & (second > 0)
        first, second = first[meeting], second[meeting]
        pairs.append(np.minimum(first, second).astype(np.int64) * count + np.maximum(first, second))
        passes.append(np.minimum(heights[here][meeting], heights[there][meeting]))
    pair, height = np.concatenate(pairs), np.concatenate(passes)
    order = np.argsort(pair)
    pair, height = pair[order], height[order]
    begins = np.flatnonzero(np.diff(pair, prepend=-1))
    pair, height = pair[begins], np.maximum.reduceat(height, begins) if begins.size else height
    falling = np.argsort(-height, kind="stable")
    return *np.divmod(pair[falling], count), height[falling]
