"""Label images: what a network learns of them, and what is made of its answer. No torch in here."""

from cellseg_monai.labels.bootstrap import bootstrap_interval
from cellseg_monai.labels.foreground import (
    ForegroundCounts,
    foreground_counts,
    foreground_counts_by_threshold,
    mean_score,
    pooled_score,
)
from cellseg_monai.labels.outlines import draw_outlines, inner_outlines
from cellseg_monai.labels.postprocess import Postprocessing, foreground_mask, label_objects
from cellseg_monai.labels.probabilities import foreground_probability
from cellseg_monai.labels.relabel import relabel_sequential
from cellseg_monai.labels.targets import foreground_target

__all__ = [
    "ForegroundCounts",
    "Postprocessing",
    "bootstrap_interval",
    "draw_outlines",
    "foreground_counts",
    "foreground_counts_by_threshold",
    "foreground_mask",
    "foreground_probability",
    "foreground_target",
    "inner_outlines",
    "label_objects",
    "mean_score",
    "pooled_score",
    "relabel_sequential",
]
