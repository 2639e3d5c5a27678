"""Contestants of `decode.py`: division of the foreground with compiled libraries that the package does not require.

The libraries are `edt` (Euclidean distance transform) and `connected-components-3d` (`cc3d`). Contestants differ in how
much of `cellseg_monai.decoding` they replace:

- `edt for the distances` replaces `distance_transform` alone.
- `edt, no neck test` measures the distance on the whole mask; `distance_transform`, `neck_test` and what `packing` does
  for distances would go.
- `edt and cc3d, not packed` is the simple design: label components, distance on the whole mask, peaks, a watershed of
  the whole image, merging. `packing` would go too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from skimage.segmentation import watershed

from cellseg_monai.decoding import divide_by_distance
from cellseg_monai.decoding.basins import merge_basins, peak_seeds
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.packing import PackedComponents
from cellseg_monai.labels.relabel import id_runs

__all__ = ["CONTESTANTS"]

_DECODING = "cellseg_monai.decoding"


def distance_on_whole_mask(mask: np.ndarray) -> np.ndarray:
    """Return the distance to the background, Y×X float32; 1 everywhere if there is no background."""
    import edt

    return np.ones(mask.shape, np.float32) if mask.all() else edt.edt(mask, black_border=False, parallel=1)


def distance_of_packed(packed: PackedComponents) -> np.ndarray:
    """Return what `distance_to_background` returns."""
    inside = packed.numbers > 0
    if packed.outside_image is None:
        return distance_on_whole_mask(inside)
    return distance_on_whole_mask(inside | packed.outside_image) * inside


def without_neck_test(mask: np.ndarray, distance: np.ndarray | None, least_depth: float) -> np.ndarray:
    """Return what `divide_by_distance` returns, up to the order of ids."""
    return divide_by_distance(mask, distance_on_whole_mask(mask) if distance is None else distance, least_depth)


def not_packed(mask: np.ndarray, distance: np.ndarray | None, least_depth: float) -> np.ndarray:
    """Return objects like those of `divide_by_distance`, from one watershed over the whole image."""
    heights = distance_on_whole_mask(mask) if distance is None else distance
    seeds = peak_seeds(components_of(mask), heights, least_depth)
    basins = watershed(-heights, seeds, mask=mask)
    return merge_basins(basins, heights, least_depth)[basins]


def components_of(mask: np.ndarray) -> ComponentRuns:
    """Return the components as runs, in the form that `peak_seeds` takes."""
    import cc3d

    ids, starts, lengths = id_runs(cc3d.connected_components(mask, connectivity=4), by_row=True)
    inside = ids > 0
    return ComponentRuns(mask.shape, starts[inside], lengths[inside], ids[inside].astype(np.int32), int(ids.max()))


def grown_on_whole_image(mask: np.ndarray, seeds: np.ndarray, landscape: np.ndarray) -> np.ndarray:
    """Return objects like those of `grow_seeds`, from one watershed over the whole image."""
    import cc3d

    grown = watershed(landscape, seeds, mask=mask)
    rest = cc3d.connected_components(mask & (grown == 0), connectivity=4).astype(np.int32)
    return np.where(rest > 0, rest + grown.max(), grown)


@contextmanager
def _replaced(division: Callable[..., np.ndarray] = divide_by_distance, **others: Any) -> Iterator[None]:
    """Replace functions where `label_objects` finds them."""
    places = {
        "divide_by_distance": ("methods.distance_watershed", "methods.boundary_watershed"),
        "grow_seeds": ("methods.boundary_watershed",),
        "distance_to_background": ("division",),
    }
    with ExitStack() as stack:
        for name, function in {"divide_by_distance": division, **others}.items():
            for module in places[name]:
                stack.enter_context(patch(f"{_DECODING}.{module}.{name}", function))
        yield


CONTESTANTS = {
    "ours": lambda: _replaced(),
    "edt for the distances": lambda: _replaced(distance_to_background=distance_of_packed),
    "edt, no neck test": lambda: _replaced(without_neck_test),
    "edt and cc3d, not packed": lambda: _replaced(not_packed, grow_seeds=grown_on_whole_image),
}
"""For each contestant, a context within which `label_objects` uses its functions."""
