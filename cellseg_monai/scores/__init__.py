"""Compare segmentations with the ground truth, without torch: scores of pixels and objects, intervals and mistakes."""

from cellseg_monai.scores.bootstrap import bootstrap_interval
from cellseg_monai.scores.classes import ClassCounts, cell_class_counts, image_class_counts
from cellseg_monai.scores.counts import Counts, Over, over_images, stacked
from cellseg_monai.scores.foreground import (
    ForegroundCounts,
    foreground_counts,
    foreground_counts_by_threshold,
)
from cellseg_monai.scores.instance_scores import (
    AreaClass,
    PooledRatio,
    SplitsAndMerges,
    aggregated_jaccard,
    aggregated_jaccard_plus,
    ctc_segmentation,
    missed_by_area,
    panoptic_counts,
    splits_and_merges,
)
from cellseg_monai.scores.matching import IOU_THRESHOLDS, Matching, ObjectCounts, match_objects, object_counts
from cellseg_monai.scores.mistakes import Mistakes, object_mistakes
from cellseg_monai.scores.neighbours import same_image_share
from cellseg_monai.scores.overlap import LabelOverlaps, check_label_images, label_overlaps
from cellseg_monai.scores.search import Found, Sweep, Trial, search_postprocessing

__all__ = [
    "IOU_THRESHOLDS",
    "AreaClass",
    "ClassCounts",
    "Counts",
    "ForegroundCounts",
    "Found",
    "LabelOverlaps",
    "Matching",
    "Mistakes",
    "ObjectCounts",
    "Over",
    "PooledRatio",
    "SplitsAndMerges",
    "Sweep",
    "Trial",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "bootstrap_interval",
    "cell_class_counts",
    "check_label_images",
    "ctc_segmentation",
    "foreground_counts",
    "foreground_counts_by_threshold",
    "image_class_counts",
    "label_overlaps",
    "match_objects",
    "missed_by_area",
    "object_counts",
    "object_mistakes",
    "over_images",
    "panoptic_counts",
    "same_image_share",
    "search_postprocessing",
    "splits_and_merges",
    "stacked",
]
