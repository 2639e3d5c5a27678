"""Pixels made ready for a network: channels, normalisation, scale. No torch in here."""

from cellseg_monai.pixels.channels import select_channels
from cellseg_monai.pixels.normalise import noise_level, normalise_percentiles
from cellseg_monai.pixels.preprocessing import Preprocessing, prepare
from cellseg_monai.pixels.scale import rescale, rescale_labels, rescaled_shape

__all__ = [
    "Preprocessing",
    "noise_level",
    "normalise_percentiles",
    "prepare",
    "rescale",
    "rescale_labels",
    "rescaled_shape",
    "select_channels",
]
