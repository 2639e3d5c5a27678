"""The method that divides touching objects at necks in the foreground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellseg_monai.decoding.division import divide_by_distance
from cellseg_monai.decoding.methods.method import Method, check_number

__all__ = ["DistanceWatershed"]


@dataclass(frozen=True)
class DistanceWatershed(Method, key="distance_watershed"):
    """A method that divides the foreground at its necks, which it finds from the distance to the background.

    Args:
        seed_depth: drop in the distance that divides two objects, in pixels; with a smaller drop, they stay one object.
    """

    seed_depth: float = 1.0

    def __post_init__(self) -> None:
        check_number("seed_depth", self.seed_depth, below=float("inf"), remedy="0 divides at every neck")

    def divide(self, mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Divide the foreground at its necks."""
        return divide_by_distance(mask, None, self.seed_depth)
