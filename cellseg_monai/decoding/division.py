"""Divide the foreground at the necks of a distance map."""

from __future__ import annotations

import numpy as np

from cellseg_monai.decoding.basins import merge_basins, peak_seeds
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.distance_transform import MAX_DISTANCE_PX, distance_to_background
from cellseg_monai.decoding.neck_test import surely_neckless
from cellseg_monai.decoding.packing import pack_components
from cellseg_monai.decoding.watershed import grow_seeds
from cellseg_monai.labels.relabel import look_up

__all__ = ["divide_by_distance"]


def divide_by_distance(mask: np.ndarray, distance: np.ndarray | None, least_depth: float) -> np.ndarray:
    """Divide the foreground at the necks of a distance map, into one object for each peak that rises high enough.

    First, every peak floods its basin. Then two adjacent basins are merged if the lower peak rises less than
    `least_depth` above the saddle between them, starting at the highest saddle. The height above the saddle is the
    dynamics defined by M. Grimaud (Proc. SPIE 1769 (1992), doi:10.1117/12.60650). A fixed fraction of the highest peak,
    as in F. Ghaznavi et al. (Scientific Reports 12 (2022), doi:10.1038/s41598-022-12239-2), would lose small cells next
    to large ones.

    Args:
        mask: Y×X bool, the foreground.
        distance: Y×X floats, high in the middle of objects. None means the Euclidean distance to the background, in
            pixels.
        least_depth: height by which a peak must rise above the saddle, in the unit of `distance`; 0 keeps every peak.

    Returns:
        Y×X int32 of positive ids, possibly with gaps; 0 is background.

    >>> mask = np.ones((1, 9), bool)
    >>> distance = np.array([[1, 2, 3, 2, 1, 2, 3, 2, 1.0]])
    >>> divide_by_distance(mask, distance, least_depth=2)
    array([[1, 1, 1, 1, 1, 2, 2, 2, 2]], dtype=int32)
    >>> divide_by_distance(mask, distance, least_depth=2.5).max()
    np.int32(1)
    """
    if distance is not None:  # convert to floats, because unsigned integers cannot be negated
        distance = distance.astype(np.promote_types(distance.dtype, np.float32), copy=False)
    components = ComponentRuns.from_mask(mask)
    undivided = surely_neckless(components, least_depth) if distance is None else np.zeros(components.count + 1, bool)
    objects = components.paint((np.cumsum(undivided) * undivided).astype(np.int32))
    highest_id = int(np.count_nonzero(undivided))
    for batch in pack_components(components, ~undivided, deepest=MAX_DISTANCE_PX if distance is None else None):
        heights = distance_to_background(batch) if distance is None else batch.gather(distance, background=-np.inf)
        basins = grow_seeds(batch.numbers > 0, peak_seeds(batch.components, heights, least_depth), -heights)
        ids = merge_basins(basins, heights, least_depth)
        ids[1:] += highest_id
        batch.scatter(look_up(ids, basins), objects)
        highest_id = int(ids.max())
    return objects
