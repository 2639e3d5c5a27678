"""Turn predicted maps into label images, in memory or block by block, without torch.

`label_objects` takes the maps that a network predicts: a foreground probability and, for some methods, a boundary or a
distance. It thresholds the foreground, fills holes, finds connected components and divides them with the configured
method. Then it drops small objects and numbers the rest from 1 to n. `label_in_blocks` produces the same ids for images
that do not fit into memory; the `blockwise` package explains how.

Components are stored as runs of pixels along the rows (`component_runs`), because an image has far fewer runs than
pixels. For work on pixels, components are packed side by side (`packing`). This leaves out the background, which fills
most of an image of nuclei. Packed components lie two pixels apart and keep track of where the image ends, so each is
divided exactly as it would be alone. That is why blocks and the whole image give the same result.

Nuclei that nearly fill their convex hull provably have no neck (`neck_test`) and are not divided at all. The watershed
floods only the pixels between several seeds (`watershed`), not the components around them. Where all cells touch,
flooding takes as long as in scikit-image, and only the distance transform is faster.

Compiled libraries (`edt`, `connected-components-3d`) are not used. With them, a single watershed of the whole image
assigns some pixels differently and loses most of the speed. Using `edt` for the distances alone gives the same labels
in about the same time, which does not justify another compiled dependency. Using `edt` without the neck test also gives
the same labels, but takes longer on sparse cells. `benchmarks/decode.py --libraries` prints the figures.
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
