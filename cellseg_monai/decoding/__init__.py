"""Maps turned into label images, in memory or block by block. Needs no torch."""

from cellseg_monai.decoding.blockwise import label_in_blocks
from cellseg_monai.decoding.maps import Maps
from cellseg_monai.decoding.methods import (
    METHODS,
    BoundaryWatershed,
    Components,
    DistanceMapWatershed,
    DistanceWatershed,
    Method,
)
from cellseg_monai.decoding.postprocess import Postprocessing, foreground_mask, label_objects
from cellseg_monai.decoding.watershed import divide_by_distance, grow_seeds

__all__ = [
    "METHODS",
    "BoundaryWatershed",
    "Components",
    "DistanceMapWatershed",
    "DistanceWatershed",
    "Maps",
    "Method",
    "Postprocessing",
    "divide_by_distance",
    "foreground_mask",
    "grow_seeds",
    "label_in_blocks",
    "label_objects",
]
