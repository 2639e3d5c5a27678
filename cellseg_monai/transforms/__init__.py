"""MONAI transforms over the numpy functions of io, pixels and labels, for the configs of bundles.

Items stay plain: tensors, strings and arrays, no `MetaTensor`. Augmentation is MONAI's own; the list
that the bundles share is `bundles/recipes/augmentation.json`.
"""

from cellseg_monai.transforms.crop import RandContactCropd
from cellseg_monai.transforms.load import LoadMicroscopyd
from cellseg_monai.transforms.postprocess import (
    BoundaryProbabilitiesd,
    ForegroundMaskd,
    ForegroundProbabilityd,
    ImageFramed,
    LabelObjectsd,
)
from cellseg_monai.transforms.prepare import PreparePixelsd
from cellseg_monai.transforms.save import SaveLabelsd
from cellseg_monai.transforms.targets import BoundaryClassesd, ForegroundAndBoundaryd, ForegroundTargetd

__all__ = [
    "BoundaryClassesd",
    "BoundaryProbabilitiesd",
    "ForegroundAndBoundaryd",
    "ForegroundMaskd",
    "ForegroundProbabilityd",
    "ForegroundTargetd",
    "ImageFramed",
    "LabelObjectsd",
    "LoadMicroscopyd",
    "PreparePixelsd",
    "RandContactCropd",
    "SaveLabelsd",
]
