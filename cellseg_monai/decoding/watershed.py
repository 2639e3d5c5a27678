"""Foreground divided among objects: seeds, and the watershed that grows them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from cellseg_monai.decoding.canvas import canvases
from cellseg_monai.decoding.depth import DEEPEST, depth
from cellseg_monai.decoding.necks import without_neck
from cellseg_monai.decoding.pieces import Pieces
from cellseg_monai.labels.relabel import id_runs, look_up

__all__ = ["divide_by_distance", "grow_seeds"]

# Peaks of a distance map: none of their piece is higher as far away along both axes. Canvases leave as much between.
_PEAK_RADIUS = 2
# So many are compared at once, as processors hold them close by.
_BLOCK_PIXELS = 2**15


def grow_seeds(mask: np.ndarray, seeds: np.ndarray, landscape: np.ndarray) -> np.ndarray:
    """Each pixel of the foreground given to the seed whose water reaches it first, without leaving the foreground.

    The watershed by flooding of F. Meyer (Actes du 8ème congrès RFIA, 1991), as scikit-image has it. What lies beside
    one seed alone needs no flooding, nor do pieces of the foreground without any seed, which are one object each.

    Args:
        mask: YX bool, the foreground.
        seeds: YX int32, ids from 1 within the mask, 0 elsewhere; the pixels of an id are in one piece.
        landscape: YX floats, low where objects are and high between them; compared within a piece only, as float32.

    Returns:
        YX int32: ids of the seeds, and above them, of the pieces without one; 0 is background.

    >>> mask = np.array([[1, 1, 1, 1, 0, 1]], bool)
    >>> grow_seeds(mask, np.array([[1, 0, 0, 2, 0, 0]], np.int32), np.array([[0, 0, 9, 0, 0, 0]]))
    array([[1, 1, 2, 2, 0, 3]], dtype=int32)
    """
    flooded = mask & (seeds == 0)
    # Of seeds, only the rim beside what is to be flooded: the queue then holds no pixels that lead nowhere.
    shore = _with_neighbours(flooded) & mask
    pieces = Pieces.of(shore)
    rim = np.flatnonzero(shore & ~flooded)
    beside, seed = pieces.number_at(rim), seeds.ravel()[rim]
    owner: np.ndarray = np.zeros(pieces.count + 1, np.int32)
    owner[beside] = seed
    contested: np.ndarray = np.zeros(pieces.count + 1, bool)
    contested[beside[owner[beside] != seed]] = True
    unseeded: np.ndarray = np.flatnonzero(owner[1:] == 0) + 1
    owner[unseeded] = seeds.max(initial=0) + 1 + np.arange(len(unseeded))
    objects = np.ascontiguousarray(np.where(flooded, pieces.painted(owner), seeds))
    for canvas in canvases(pieces, contested, apart=False):
        markers = canvas.of(seeds)
        canvas.write(watershed(_in_turn(canvas.of(landscape), markers), markers, mask=canvas.numbers > 0), objects)
    return objects


def _in_turn(landscape: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """The landscape, markers of one height made to flood row after row, before any other pixel of that height.

    Their order in the queue would else depend on all that it holds, and so a piece on others in its box. A step between
    two heights of 32 bits has 2²⁸ steps of 64 bits at least.
    """
    heights: np.ndarray = landscape.astype(np.float32, copy=False).astype(np.float64, order="C")
    at = np.flatnonzero(markers)
    marked = heights.ravel()[at]
    heights.ravel()[at] -= np.spacing(np.abs(marked)) * np.arange(len(at), 0, -1)
    return heights


def _with_neighbours(mask: np.ndarray) -> np.ndarray:
    wider = mask.copy()
    wider[1:] |= mask[:-1]
    wider[:-1] |= mask[1:]
    wider[:, 1:] |= mask[:, :-1]
    wider[:, :-1] |= mask[:, 1:]
    return wider


def divide_by_distance(mask: np.ndarray, distance: np.ndarray | None, least_depth: float) -> np.ndarray:
    """The foreground divided at the necks of a distance map: one object for each peak that rises high enough.

    Every peak floods its basin; then basins are joined, across the highest saddle first, where the lower of the two
    peaks rises less than `least_depth` above the saddle (the dynamics of M. Grimaud, Proc. SPIE 1769 (1992),
    doi:10.1117/12.60650). A fixed share of the highest peak, as in F. Ghaznavi et al. (Scientific Reports 12 (2022),
    doi:10.1038/s41598-022-12239-2), would lose small cells beside large ones.

    Args:
        mask: YX bool, the foreground.
        distance: YX floats, high in the middle of objects; None: the Euclidean distance to the background, in pixels.
        least_depth: in the unit of `distance`; 0 keeps every peak.

    Returns:
        YX int32: ids from 1, not without gaps; 0 is background.

    >>> mask = np.ones((1, 9), bool)
    >>> distance = np.array([[1, 2, 3, 2, 1, 2, 3, 2, 1.0]])
    >>> divide_by_distance(mask, distance, least_depth=2)
    array([[1, 1, 1, 1, 1, 2, 2, 2, 2]], dtype=int32)
    >>> divide_by_distance(mask, distance, least_depth=2.5).max()
    np.int32(1)
    """
    if distance is not None:  # the negative of an unsigned integer is none
        distance = distance.astype(np.promote_types(distance.dtype, np.float32), copy=False)
    pieces = Pieces.of(mask)
    whole = without_neck(pieces, least_depth) if distance is None else np.zeros(pieces.count + 1, bool)
    objects = pieces.painted((np.cumsum(whole) * whole).astype(np.int32))
    highest_id = int(np.count_nonzero(whole))
    for canvas in canvases(pieces, ~whole, deepest=DEEPEST if distance is None else None):
        heights = depth(canvas) if distance is None else canvas.of(distance, elsewhere=-np.inf)
        seeds = _seeds(canvas.pieces, heights, least_depth)
        basins = grow_seeds(canvas.numbers > 0, seeds, -heights)
        owner = _joined(basins, heights, least_depth)
        owner[1:] += highest_id
        canvas.write(look_up(owner, basins), objects)
        highest_id = int(owner.max())
    return objects


def _seeds(pieces: Pieces, heights: np.ndarray, least_depth: float) -> np.ndarray:
    """Pixels that none near them exceeds, and the highest of each piece; numbered, what is sure to be one as one."""
    mask = pieces.dense > 0
    highest = pieces.painted(_highest(pieces.numbers, pieces.starts, pieces.lengths, heights))
    peaks = ((heights == _highest_near(heights)) | (heights == highest)) & mask
    # What lies so little below the highest pixel of a piece would be joined in the end: most pieces need no flooding.
    seeds = peaks | (heights > highest - heights.dtype.type(least_depth))
    # Peaks of one height may touch by a corner: joined across the pixels beside it, where those are foreground.
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
    found = numbers[peaks]
    kept[found] = found
    return numbers if kept[1:].all() else look_up(kept, numbers)


def _highest_near(heights: np.ndarray) -> np.ndarray:
    """`scipy.ndimage.maximum_filter` over the square around each pixel, but faster."""
    height, width = heights.shape
    wider = np.pad(heights, _PEAK_RADIUS, constant_values=-np.inf)
    highest = np.empty_like(heights)
    rows = max(1, _BLOCK_PIXELS // wider.shape[1])
    for top in range(0, height, rows):
        found = highest[top : top + rows]
        down = wider[top : top + len(found)].copy()
        for away in range(1, 2 * _PEAK_RADIUS + 1):
            np.maximum(down, wider[top + away :][: len(found)], out=down)
        found[:] = down[:, :width]
        for away in range(1, 2 * _PEAK_RADIUS + 1):
            np.maximum(found, down[:, away : away + width], out=found)
    return highest


def _highest(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The greatest height of each id, from 0 on, by the stretches of pixels that have it."""
    edges = np.stack([starts, starts + lengths], axis=1).ravel()
    within = edges[:-1] if edges[-1] == heights.size else edges
    highest: np.ndarray = np.full(ids.max() + 1, -np.inf, heights.dtype)
    np.maximum.at(highest, ids, np.maximum.reduceat(heights.ravel(), within)[::2])
    return highest


def _joined(basins: np.ndarray, heights: np.ndarray, least_depth: float) -> np.ndarray:
    """For each basin the one that it is put together with, as its peak rises too little above the pass to a higher."""
    owner: np.ndarray = np.arange(basins.max(initial=0) + 1, dtype=np.int32)
    one, other, saddle = _saddles(basins, heights)
    if not len(one):
        return owner
    peak = _highest(*id_runs(basins), heights).tolist()
    for low, high, height in zip(one.tolist(), other.tolist(), saddle.tolist(), strict=True):
        low, high = _root(owner, low), _root(owner, high)
        if low == high:
            continue
        if peak[low] >= peak[high]:
            low, high = high, low
        if peak[low] - height < least_depth:
            owner[low] = high
    while (owner != owner[owner]).any():
        owner = owner[owner]
    return owner


def _root(owner: np.ndarray, basin: int) -> int:
    while owner[basin] != basin:
        owner[basin] = owner[owner[basin]]
        basin = int(owner[basin])
    return basin


def _saddles(basins: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of adjacent basins, and the height of the highest pass between them; the highest first."""
    count = int(basins.max(initial=0)) + 1
    pairs, heights = [], []
    for here, there in (
        ((slice(None, -1),), (slice(1, None),)),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        one, other = basins[here], basins[there]
        meeting = (one != other) & (one > 0) & (other > 0)
        one, other = one[meeting], other[meeting]
        pairs.append(np.minimum(one, other).astype(np.int64) * count + np.maximum(one, other))
        heights.append(np.minimum(distance[here][meeting], distance[there][meeting]))
    pair, height = np.concatenate(pairs), np.concatenate(heights)
    order = np.argsort(pair)
    pair, height = pair[order], height[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    pair, height = pair[first], np.maximum.reduceat(height, first) if first.size else height
    falling = np.argsort(-height, kind="stable")
    return *np.divmod(pair[falling], count), height[falling]
