"""The method that divides touching objects at predicted boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellseg_monai.decoding.division import divide_by_distance
from cellseg_monai.decoding.methods.method import Method, check_number, check_whole_number
from cellseg_monai.decoding.watershed import grow_seeds
from cellseg_monai.labels.relabel import id_runs

__all__ = ["BoundaryWatershed"]


@dataclass(frozen=True)
class BoundaryWatershed(Method, key="boundary_watershed"):
    """A method that divides the foreground at predicted boundaries, and the remaining interiors at their necks.

    A neck in an interior is usually a gap in the predicted boundary.

    Args:
        boundary_threshold: a pixel belongs to a boundary if its probability exceeds this threshold.
        min_seed_area_px: interiors with fewer pixels than this do not become objects; their pixels go to neighbours.
        seed_depth: drop in the distance to the boundary that divides two interiors, in pixels; with a smaller drop, the
            interiors stay one object. Interiors have dents of their own, so the default is greater than the one in
            `DistanceWatershed`.
    """

    maps = ("boundary",)

    boundary_threshold: float = 0.5
    min_seed_area_px: int = 0
    seed_depth: float = 8.0

    def __post_init__(self) -> None:
        check_number("boundary_threshold", self.boundary_threshold, below=1, remedy="give a probability, such as 0.5")
        check_whole_number("min_seed_area_px", self.min_seed_area_px)
        check_number("seed_depth", self.seed_depth, below=float("inf"), remedy="0 divides at every neck")

    def divide(self, mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Divide the foreground at boundaries, then grow the interiors back over the boundary pixels."""
        boundary = maps["boundary"]
        # Two interiors meet at a neck if the boundary between them has a gap.
        seeds = divide_by_distance(mask & ~(boundary > self.boundary_threshold), None, self.seed_depth)
        if self.min_seed_area_px > 1:
            ids, _, lengths = id_runs(seeds)
            large = np.bincount(ids, lengths) >= self.min_seed_area_px
            seeds = np.repeat(ids * large[ids], lengths).reshape(seeds.shape)
        return grow_seeds(mask, seeds, boundary)
