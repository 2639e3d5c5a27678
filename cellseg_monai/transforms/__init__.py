"""MONAI transforms over the numpy functions of io, pixels and labels, for the configs of bundles.

Items stay plain: tensors, strings and arrays, no `MetaTensor`. Augmentation is MONAI's own; the list
that the bundles share is `bundles/recipes/augmentation.json`.
"""

from cellseg_monai.transforms.load import LoadMicroscopyd
from cellseg_monai.transforms.postprocess import ForegroundMaskd, ForegroundProbabilityd, ImageFramed
from cellseg_monai.transforms.prepare import PreparePixelsd
from cellseg_monai.transforms.save import SaveLabelsd
from cellseg_monai.transforms.targets import ForegroundTargetd

__all__ = [
    "ForegroundMaskd",
    "ForegroundProbabilityd",
    "ForegroundTargetd",
    "ImageFramed",
    "LoadMicroscopyd",
    "PreparePixelsd",
    "SaveLabelsd",
]
