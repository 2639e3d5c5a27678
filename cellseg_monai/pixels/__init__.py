"""Prepare pixels for a network, without torch: select channels, normalise intensities and resample."""

from cellseg_monai.pixels.channels import channels_from_text, select_channels
from cellseg_monai.pixels.hue import brightest_channel_of_one_hue
from cellseg_monai.pixels.image_quality import (
    contrast_over_noise,
    saturated_share,
    share_of_levels,
    sharpness,
    top_levels,
)
from cellseg_monai.pixels.margin_search import find_margins
from cellseg_monai.pixels.margins import Margins
from cellseg_monai.pixels.noise import noise_level
from cellseg_monai.pixels.normalise import normalise_percentiles
from cellseg_monai.pixels.prepared_windows import ImageStatistics, PreparedPixels, PreparedWindows
from cellseg_monai.pixels.preprocessing import (
    Prepared,
    Preprocessing,
    network_scale,
    prepare,
    prepare_and_measure,
    prepared_shape,
)
from cellseg_monai.pixels.scale import check_zoom, rescale, rescale_labels, rescale_window, rescaled_shape
from cellseg_monai.pixels.stains import restained, turned_hue
from cellseg_monai.pixels.tiles import AxisTiles, cover_axis
from cellseg_monai.pixels.windowed_percentiles import percentile_ranges

__all__ = [
    "AxisTiles",
    "ImageStatistics",
    "Margins",
    "Prepared",
    "PreparedPixels",
    "PreparedWindows",
    "Preprocessing",
    "brightest_channel_of_one_hue",
    "channels_from_text",
    "check_zoom",
    "contrast_over_noise",
    "cover_axis",
    "find_margins",
    "network_scale",
    "noise_level",
    "normalise_percentiles",
    "percentile_ranges",
    "prepare",
    "prepare_and_measure",
    "prepared_shape",
    "rescale",
    "rescale_labels",
    "rescale_window",
    "rescaled_shape",
    "restained",
    "saturated_share",
    "select_channels",
    "share_of_levels",
    "sharpness",
    "top_levels",
    "turned_hue",
]
