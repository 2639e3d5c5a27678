"""Methods that divide the foreground into objects, each with its own settings.

To add a method, put a subclass of `Method` in a new file here and import it below.
"""

from cellseg_monai.decoding.methods.boundary_watershed import BoundaryWatershed
from cellseg_monai.decoding.methods.components import Components
from cellseg_monai.decoding.methods.distance_map_watershed import DistanceMapWatershed
from cellseg_monai.decoding.methods.distance_watershed import DistanceWatershed
from cellseg_monai.decoding.methods.method import METHODS, Method

__all__ = ["METHODS", "BoundaryWatershed", "Components", "DistanceMapWatershed", "DistanceWatershed", "Method"]
