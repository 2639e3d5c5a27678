"""What can be said of a segmentation without truth: measures of each image, and what is unusual about them."""

from cellseg_monai.quality.flags import FLAGS, Flag, flags_of
from cellseg_monai.quality.measures import PlaneMeasures, measure_plane
from cellseg_monai.quality.training_data import TrainingData, describe_training_data

__all__ = [
    "FLAGS",
    "Flag",
    "PlaneMeasures",
    "TrainingData",
    "describe_training_data",
    "flags_of",
    "measure_plane",
]
