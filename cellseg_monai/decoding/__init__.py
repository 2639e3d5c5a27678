"""Label images from maps, in memory or block by block. Needs no torch.

`label_objects` takes the maps of a network: the probability of the foreground and, for some methods, a boundary or a
distance. It thresholds the foreground, fills holes, finds connected components, divides each by the method of the
settings, drops small objects and numbers the rest 1 to n. `label_in_blocks` gives the same ids for images larger than
memory; `blockwise` says how.

Components are handled as runs of pixels along the rows (`component_runs`), because there are far fewer runs than
pixels. Work on pixels is done on components packed side by side (`packing`), which leaves out the background: most of
an image of nuclei. Packed components are two pixels apart and keep track of where the image ends, so each becomes what
it would become alone; therefore blocks give what the whole image gives. Nuclei that nearly fill their convex hull
provably have no neck (`neck_test`) and are not divided at all. Only pixels between several seeds are flooded
(`watershed`), not the components that hold them. Where all cells touch, flooding takes as long as in scikit-image; what
is saved there is the distance transform.

Compiled libraries (`edt`, `connected-components-3d`) were tried instead. One watershed of the whole image moves pixels
and loses most of the speed. `edt` for the distances alone gives the same labels in about the same time, which does not
pay for one more compiled dependency. With `edt` and without the neck test, labels are the same, but sparse cells take
longer. `benchmarks/decode.py --libraries` prints the figures.
"""

from cellseg_monai.decoding.blockwise import label_in_blocks
from cellseg_monai.decoding.division import divide_by_distance
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
from cellseg_monai.decoding.watershed import grow_seeds

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
