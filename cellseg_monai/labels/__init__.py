"""Label images: what a network learns of them, and what is made of its answer. No torch in here."""

from cellseg_monai.labels.bootstrap import bootstrap_interval
from cellseg_monai.labels.counts import Counts, over_images, stacked
from cellseg_monai.labels.foreground import (
    ForegroundCounts,
    foreground_counts,
    foreground_counts_by_threshold,
    mean_score,
    pooled_score,
)
from cellseg_monai.labels.instance_scores import (
    AreaClass,
    PooledRatio,
    SplitsAndMerges,
    aggregated_jaccard,
    aggregated_jaccard_plus,
    ctc_segmentation,
    missed_by_area,
    object_scores,
    panoptic_counts,
    splits_and_merges,
)
from cellseg_monai.labels.matching import IOU_THRESHOLDS, Matching, ObjectCounts, match_objects, object_counts
from cellseg_monai.labels.outlines import draw_outlines, inner_outlines
from cellseg_monai.labels.overlap import LabelOverlaps, check_label_images, label_overlaps
from cellseg_monai.labels.postprocess import Postprocessing, foreground_mask, label_objects
from cellseg_monai.labels.probabilities import foreground_probability
from cellseg_monai.labels.relabel import relabel_sequential
from cellseg_monai.labels.targets import foreground_target

__all__ = [
    "IOU_THRESHOLDS",
    "AreaClass",
    "Counts",
    "ForegroundCounts",
    "LabelOverlaps",
    "Matching",
    "ObjectCounts",
    "PooledRatio",
    "Postprocessing",
    "SplitsAndMerges",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "bootstrap_interval",
    "check_label_images",
    "ctc_segmentation",
    "draw_outlines",
    "foreground_counts",
    "foreground_counts_by_threshold",
    "foreground_mask",
    "foreground_probability",
    "foreground_target",
    "inner_outlines",
    "label_objects",
    "label_overlaps",
    "match_objects",
    "mean_score",
    "missed_by_area",
    "object_counts",
    "object_scores",
    "over_images",
    "panoptic_counts",
    "pooled_score",
    "relabel_sequential",
    "splits_and_merges",
    "stacked",
]
