"""The method that divides touching objects at the valleys of a predicted distance map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellseg_monai.decoding.division import divide_by_distance
from cellseg_monai.decoding.methods.method import Method, check_number

__all__ = ["DistanceMapWatershed"]


@dataclass(frozen=True)
class DistanceMapWatershed(Method, key="distance_map_watershed"):
    """A method that divides the foreground at the valleys of a predicted distance map.

    `labels.distance_target` defines the distance.

    Args:
        seed_depth: drop in the distance that divides two objects, as a fraction of an object's depth; with a smaller
            drop, they stay one object. Predicted distances are smooth, so a small fraction is enough.
    """

    maps = ("distance",)

    seed_depth: float = 0.1

    def __post_init__(self) -> None:
        check_number("seed_depth", self.seed_depth, below=float("inf"), remedy="0 divides at every valley")

    def divide(self, mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Divide the foreground at the valleys of the distance map."""
        return divide_by_distance(mask, maps["distance"], self.seed_depth)
