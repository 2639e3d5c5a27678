"""Quality checks that need no ground truth: measures of each segmented image, and flags for unusual images."""

from cellseg_monai.quality.flags import FLAGS, LEAST_COMPARED, SEVERITIES, Flag, compared_measures, flags_of
from cellseg_monai.quality.measures import PlaneMeasures, measure_plane, recorded_measures
from cellseg_monai.quality.training_data import TrainingData, describe_training_data

__all__ = [
    "FLAGS",
    "LEAST_COMPARED",
    "SEVERITIES",
    "Flag",
    "PlaneMeasures",
    "TrainingData",
    "compared_measures",
    "describe_training_data",
    "flags_of",
    "measure_plane",
    "recorded_measures",
]
