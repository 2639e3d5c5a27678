"""MONAI transforms over heads and the numpy functions of io, pixels, labels and decoding, for configs of bundles.

Items stay plain: tensors, strings and arrays, no `MetaTensor`. Augmentation is MONAI's own; the list
that the bundles share is `bundles/recipes/augmentation.json`.
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
