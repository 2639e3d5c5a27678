"""A watershed that grows seeds over the foreground and floods only the pixels that several seeds can reach."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import watershed

from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.packing import pack_components

__all__ = ["grow_seeds"]


def grow_seeds(mask: np.ndarray, seeds: np.ndarray, landscape: np.ndarray) -> np.ndarray:
    """Assign each foreground pixel to the seed that reaches it first in a watershed within the foreground.

    This is F. Meyer's flooding watershed (Actes du 8ème congrès RFIA, 1991), as implemented in scikit-image. Only
    unseeded pixels between several seeds are flooded. Unseeded pixels next to a single seed go to that seed, and a
    connected component without any seed becomes one object.

    Args:
        mask: Y×X bool, the foreground.
        seeds: Y×X int32, positive ids within the mask and 0 elsewhere. All pixels with the same id lie in the same
            component.
        landscape: Y×X floats, low inside objects and high between them. Values are compared as float32, and only
            within a component.

    Returns:
        Y×X int32: the seed ids, and higher ids for components without a seed; 0 is background.

    >>> mask = np.array([[1, 1, 1, 1, 0, 1]], bool)
    >>> grow_seeds(mask, np.array([[1, 0, 0, 2, 0, 0]], np.int32), np.array([[0, 0, 9, 0, 0, 0]]))
    array([[1, 1, 2, 2, 0, 3]], dtype=int32)
    """
    unseeded = mask & (seeds == 0)
    # Keep only the rim of each seed. Inner pixels have no unseeded neighbours, so queueing them has no effect.
    region = _with_neighbours(unseeded) & mask
    components = ComponentRuns.from_mask(region)
    rim_pixels = np.flatnonzero(region & ~unseeded)
    rim_components, rim_seeds = components.numbers_at(rim_pixels), seeds.ravel()[rim_pixels]
    owners: np.ndarray = np.zeros(components.count + 1, np.int32)
    owners[rim_components] = rim_seeds
    contested: np.ndarray = np.zeros(components.count + 1, bool)
    contested[rim_components[owners[rim_components] != rim_seeds]] = True
    ownerless: np.ndarray = np.flatnonzero(owners[1:] == 0) + 1
    owners[ownerless] = seeds.max(initial=0) + 1 + np.arange(len(ownerless))
    objects = np.ascontiguousarray(np.where(unseeded, components.paint(owners), seeds))
    for batch in pack_components(components, contested, apart=False):
        markers = batch.gather(seeds)
        heights = _with_ordered_markers(batch.gather(landscape), markers)
        batch.scatter(watershed(heights, markers, mask=batch.numbers > 0), objects)
    return objects


def _with_ordered_markers(landscape: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """Lower the marker pixels by tiny steps.

    This makes markers of equal height flood in row order, before unmarked pixels with the same height. Otherwise their
    order would depend on everything else in scikit-image's queue, and the division of a component would depend on which
    other components are flooded with it. The steps are too small to reorder different heights, because there are at
    least 2²⁸ float64 values between two adjacent float32 values.
    """
    heights: np.ndarray = landscape.astype(np.float32, copy=False).astype(np.float64, order="C")
    pixels = np.flatnonzero(markers)
    marker_heights = heights.ravel()[pixels]
    heights.ravel()[pixels] -= np.spacing(np.abs(marker_heights)) * np.arange(len(pixels), 0, -1)
    return heights


def _with_neighbours(mask: np.ndarray) -> np.ndarray:
    wider = mask.copy()
    wider[1:] |= mask[:-1]
    wider[:-1] |= mask[1:]
    wider[:, 1:] |= mask[:, :-1]
    wider[:, :-1] |= mask[:, 1:]
    return wider
