"""Label images: what a network learns of them, and what is made of its answer. No torch in here."""

from cellseg_monai.labels.blockwise import label_in_blocks
from cellseg_monai.labels.bootstrap import bootstrap_interval
from cellseg_monai.labels.boundaries import touching_boundaries
from cellseg_monai.labels.counts import Counts, over_images, stacked
from cellseg_monai.labels.crops import Crop, ObjectBoxes, crops_of_whole_objects, object_boxes
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
from cellseg_monai.labels.measure import measure_objects
from cellseg_monai.labels.mistakes import Mistakes, object_mistakes
from cellseg_monai.labels.object_table import ObjectTable, join_tables
from cellseg_monai.labels.outlines import draw_outlines, inner_outlines, paint_outlines
from cellseg_monai.labels.overlap import LabelOverlaps, check_label_images, label_overlaps
from cellseg_monai.labels.polygons import Polygon, draw_polygons, object_polygons, trace_polygons
from cellseg_monai.labels.postprocess import METHODS, Postprocessing, foreground_mask, label_objects
from cellseg_monai.labels.probabilities import boundary_probabilities, foreground_probability
from cellseg_monai.labels.relabel import relabel_sequential
from cellseg_monai.labels.search import Found, Sweep, Trial, search_postprocessing
from cellseg_monai.labels.targets import (
    boundary_classes,
    distance_target,
    foreground_and_boundary,
    foreground_target,
)
from cellseg_monai.labels.watershed import divide_by_distance, grow_seeds

__all__ = [
    "IOU_THRESHOLDS",
    "METHODS",
    "AreaClass",
    "Counts",
    "Crop",
    "ForegroundCounts",
    "Found",
    "LabelOverlaps",
    "Matching",
    "Mistakes",
    "ObjectBoxes",
    "ObjectCounts",
    "ObjectTable",
    "Polygon",
    "PooledRatio",
    "Postprocessing",
    "SplitsAndMerges",
    "Sweep",
    "Trial",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "bootstrap_interval",
    "boundary_classes",
    "boundary_probabilities",
    "check_label_images",
    "crops_of_whole_objects",
    "ctc_segmentation",
    "distance_target",
    "divide_by_distance",
    "draw_outlines",
    "draw_polygons",
    "foreground_and_boundary",
    "foreground_counts",
    "foreground_counts_by_threshold",
    "foreground_mask",
    "foreground_probability",
    "foreground_target",
    "grow_seeds",
    "inner_outlines",
    "join_tables",
    "label_in_blocks",
    "label_objects",
    "label_overlaps",
    "match_objects",
    "mean_score",
    "measure_objects",
    "missed_by_area",
    "object_boxes",
    "object_counts",
    "object_mistakes",
    "object_polygons",
    "object_scores",
    "over_images",
    "paint_outlines",
    "panoptic_counts",
    "pooled_score",
    "relabel_sequential",
    "search_postprocessing",
    "splits_and_merges",
    "stacked",
    "touching_boundaries",
    "trace_polygons",
]
