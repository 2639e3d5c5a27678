"""MONAI transforms for the configs of bundles: wrappers of heads and of the functions of io, pixels, labels, decoding.

Items stay plain, with tensors, strings and arrays but no `MetaTensor`. Augmentation uses MONAI's own transforms; the
list that the bundles share is `bundles/recipes/augmentation.json`.
"""

from cellseg_monai.transforms.crop import RandContactCropd
from cellseg_monai.transforms.load import LoadMicroscopyd
from cellseg_monai.transforms.postprocess import ActivateLogitsd, ForegroundMaskd, ImageFramed, LabelObjectsd
from cellseg_monai.transforms.prepare import PreparePixelsd
from cellseg_monai.transforms.save import SaveLabelsd
from cellseg_monai.transforms.targets import EncodeTargetd, ForegroundTargetd

__all__ = [
    "ActivateLogitsd",
    "EncodeTargetd",
    "ForegroundMaskd",
    "ForegroundTargetd",
    "ImageFramed",
    "LabelObjectsd",
    "LoadMicroscopyd",
    "PreparePixelsd",
    "RandContactCropd",
    "SaveLabelsd",
]
