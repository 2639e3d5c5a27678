"""The scores from `cellseg_monai.scores` as MONAI metrics, for Ignite engines and multi-process training."""

from cellseg_monai.metrics.classes import CellClassScore, ImageClassScore
from cellseg_monai.metrics.features import FeatureScore, LossPart
from cellseg_monai.metrics.foreground import ForegroundScore
from cellseg_monai.metrics.instances import InstanceScore, OverlapScore
from cellseg_monai.metrics.sightings import SightingScore

__all__ = [
    "CellClassScore",
    "FeatureScore",
    "ForegroundScore",
    "ImageClassScore",
    "InstanceScore",
    "LossPart",
    "OverlapScore",
    "SightingScore",
]
