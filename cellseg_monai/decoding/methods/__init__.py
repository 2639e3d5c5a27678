"""Methods that divide the foreground into objects, each with the settings that mean something for it.

A new method is a file here with a subclass of `Method`, and a line below.
"""

from cellseg_monai.decoding.methods.boundary_watershed import BoundaryWatershed
from cellseg_monai.decoding.methods.components import Components
from cellseg_monai.decoding.methods.distance_map_watershed import DistanceMapWatershed
from cellseg_monai.decoding.methods.distance_watershed import DistanceWatershed
from cellseg_monai.decoding.methods.method import METHODS, Method

__all__ = ["METHODS", "BoundaryWatershed", "Components", "DistanceMapWatershed", "DistanceWatershed", "Method"]
