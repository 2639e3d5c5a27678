"""Seeds grown over the foreground by a watershed, without flooding what belongs to one seed anyway."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import watershed

from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.packing import pack_components

__all__ = ["grow_seeds"]


def grow_seeds(mask: np.ndarray, seeds: np.ndarray, landscape: np.ndarray) -> np.ndarray:
    """Give each foreground pixel to the seed whose water reaches it first without leaving the foreground.

    This is the watershed by flooding of F. Meyer (Actes du 8ème congrès RFIA, 1991), as implemented by scikit-image.
    Only unseeded pixels between several seeds are flooded. Unseeded pixels next to a single seed go to that seed, and a
    connected component without a seed becomes one object.

    Args:
        mask: Y×X bool, the foreground.
        seeds: Y×X int32, ids from 1 within the mask, 0 elsewhere; the pixels of an id lie in one component.
        landscape: Y×X floats, low where objects are and high between them. Values are compared as float32, and only
            within a component.

    Returns:
        Y×X int32: the ids of the seeds, and higher ids for the components without one; 0 is background.

    >>> mask = np.array([[1, 1, 1, 1, 0, 1]], bool)
    >>> grow_seeds(mask, np.array([[1, 0, 0, 2, 0, 0]], np.int32), np.array([[0, 0, 9, 0, 0, 0]]))
    array([[1, 1, 2, 2, 0, 3]], dtype=int32)
    """
    unseeded = mask & (seeds == 0)
    # Keep only the rim of each seed: its inner pixels would pass through the queue without reaching anything.
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
    """Lower the markers by tiny steps, so that those of one height flood row after row, before other such pixels.

    Otherwise their order would depend on everything in the queue of scikit-image, so a component could be divided
    differently depending on what else is flooded with it. The steps are too small to change the order of different
    heights: there are at least 2²⁸ float64 values between two neighbouring float32 values.
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
