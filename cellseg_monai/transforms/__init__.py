"""MONAI transforms for bundle configs, which wrap heads and functions from io, pixels, labels and decoding.

Items contain plain tensors, arrays and strings, never a `MetaTensor`. For augmentation, all bundles use the same list
of MONAI's own transforms, in `bundles/recipes/augmentation.json`.
"""

from cellseg_monai.transforms.classes import ClassifyObjectsd, LoadClassesd
from cellseg_monai.transforms.crop import RandContactCropd
from cellseg_monai.transforms.light import RandMarginsd, RandUnevenLightd
from cellseg_monai.transforms.load import LoadMicroscopyd
from cellseg_monai.transforms.measure import MeasureObjectsd
from cellseg_monai.transforms.postprocess import ActivateLogitsd, ForegroundMaskd, ImageFramed, LabelObjectsd
from cellseg_monai.transforms.prepare import PreparePixelsd
from cellseg_monai.transforms.save import SaveLabelsd
from cellseg_monai.transforms.scaled_crop import RandScaledCropd
from cellseg_monai.transforms.sized import SizeObjectsd
from cellseg_monai.transforms.stain import RandStainsd
from cellseg_monai.transforms.targets import EncodeTargetd, ForegroundTargetd
from cellseg_monai.transforms.views import RandHiddenBlocksd, RandViewsd

__all__ = [
    "ActivateLogitsd",
    "ClassifyObjectsd",
    "EncodeTargetd",
    "ForegroundMaskd",
    "ForegroundTargetd",
    "ImageFramed",
    "LabelObjectsd",
    "LoadClassesd",
    "LoadMicroscopyd",
    "MeasureObjectsd",
    "PreparePixelsd",
    "RandContactCropd",
    "RandHiddenBlocksd",
    "RandMarginsd",
    "RandScaledCropd",
    "RandStainsd",
    "RandUnevenLightd",
    "RandViewsd",
    "SaveLabelsd",
    "SizeObjectsd",
]
