"""The available protocols; docs/evaluation.md explains their scores and differences."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from cellseg_monai.evaluation.preparation import dilated_against_pieces, pieces_of_truth, without_border_cells
from cellseg_monai.evaluation.protocol import Protocol, Score
from cellseg_monai.scores import IOU_THRESHOLDS, ForegroundCounts, Over, ctc_segmentation

__all__ = ["OWN", "PROTOCOLS", "find_protocol", "precision_over_recall"]

_RECALL_LEVELS = np.linspace(0, 1, 101)  # as in pycocotools

_f1, _precision, _recall, _accuracy = map(attrgetter, ("f1", "precision", "recall", "accuracy"))


def precision_over_recall(counts: Any) -> Any:
    """Return the area under COCO's precision-recall curve for predictions that share one confidence score.

    Predictions without individual scores cannot be ranked, so the curve is a single point. COCO averages the highest
    precision at or beyond each recall level 0, 0.01, ..., 1. For a single point, the average is its precision times
    the share of recall levels that its recall reaches.

    Args:
        counts: `ObjectCounts` whose fields are numbers or arrays.

    >>> from cellseg_monai.scores import ObjectCounts
    >>> round(float(precision_over_recall(ObjectCounts(tp=3, fp=1, fn=3))), 4)  # 0.75 * 51 / 101
    0.3787
    """
    reached = np.searchsorted(_RECALL_LEVELS, counts.recall, side="right")
    return counts.precision * reached / len(_RECALL_LEVELS)


def _own_scores() -> tuple[Score, ...]:
    """Return the scores of the protocol `cellseg`, each pooled and as the mean over images."""
    measures: list[tuple[str, float | None]] = [("f1", None), ("f1_50", 0.5), ("f1_75", 0.75), ("f1_90", 0.9)]
    ways: tuple[Over, ...] = ("pooled", "mean")
    objects = [
        *((name, _f1, iou) for name, iou in measures),
        ("panoptic_quality", attrgetter("panoptic_quality"), 0.5),
    ]
    return (
        *(Score(f"{name}_{over}", of, over, iou, image_name=name) for name, of, iou in objects for over in ways),
        *(
            Score(f"{name}_{over}", attrgetter(name), over, counted="foreground", image_name=name)
            for name in ForegroundCounts.scores
            for over in ways
        ),
    )


OWN = Protocol(
    name="cellseg",
    measures="object F1 at IoU 0.50 to 0.95, panoptic quality, and foreground Dice, IoU, precision, recall and "
    "accuracy, each pooled and as the mean over images",
    source="the evaluation of this package's bundles, with matches as in StarDist, doi:10.1007/978-3-030-00934-2_30",
    scores=_own_scores(),
)
"""The protocol for evaluating the bundles in this package."""

_ALL = (
    OWN,
    Protocol(
        name="caicedo2019",
        measures="F1 of nuclei, mean over IoU 0.50 to 0.90 and over images, with predictions dilated by one pixel",
        source="J. C. Caicedo et al., Cytometry A 95 (2019), doi:10.1002/cyto.a.23863, and its code",
        scores=(
            Score("average_f1", _f1, "mean"),
            Score("f1_0.5", _f1, "mean", iou=0.5),
            Score("f1_0.7", _f1, "mean", iou=0.7),
            Score("f1_0.9", _f1, "mean", iou=0.9),
        ),
        thresholds=IOU_THRESHOLDS[:-1],
        strict=True,
        prepare=dilated_against_pieces,
    ),
    Protocol(
        name="bbbc039_mean_f1",
        measures="F1 of nuclei, mean over IoU 0.50 to 0.95 and over images",
        source="the measure of caicedo2019 with IoU 0.95 added and without dilation, as also reported for BBBC039, "
        "doi:10.1038/nmeth.2083",
        scores=(
            Score("mean_average_f1", _f1, "mean"),
            Score("f1_0.5", _f1, "mean", iou=0.5),
            Score("f1_0.75", _f1, "mean", iou=0.75),
            Score("f1_0.9", _f1, "mean", iou=0.9),
        ),
        strict=True,
        prepare=pieces_of_truth,
    ),
    Protocol(
        name="dsb2018",
        measures="TP / (TP + FP + FN), mean over IoU 0.50 to 0.95 and over images",
        source="J. C. Caicedo et al., Nature Methods 16 (2019), doi:10.1038/s41592-019-0612-7, and the rules of the "
        "2018 Data Science Bowl",
        scores=(
            Score("mean_average_precision", _accuracy, "mean"),
            Score("average_f1", _f1, "mean"),
        ),
        strict=True,
    ),
    Protocol(
        name="neurips22",
        measures="F1 at an IoU of 0.5 without cells within 2 pixels of the border, median and mean over images",
        source="J. Ma et al., Nature Methods 21 (2024), doi:10.1038/s41592-024-02233-6, and the challenge's code",
        scores=(Score("median_f1", _f1, "median", iou=0.5), Score("mean_f1", _f1, "mean", iou=0.5)),
        prepare=without_border_cells,
    ),
    Protocol(
        name="stardist",
        measures="F1, accuracy and related scores at an IoU of 0.5, pooled over all images",
        source="U. Schmidt et al., MICCAI 2018, doi:10.1007/978-3-030-00934-2_30: stardist.matching.matching_dataset",
        scores=tuple(
            Score(name, attrgetter(property_name), "pooled", iou=0.5)
            for name, property_name in (
                ("f1", "f1"),
                ("precision", "precision"),
                ("recall", "recall"),
                ("accuracy", "accuracy"),
                ("mean_true_score", "found_quality"),
                ("mean_matched_score", "segmentation_quality"),
                ("panoptic_quality", "panoptic_quality"),
            )
        ),
        thresholds=tuple(tenths / 10 for tenths in range(1, 10)),
    ),
    Protocol(
        name="cellpose_ap",
        measures="TP / (TP + FP + FN) at an IoU of 0.5, 0.75 and 0.9, mean over images",
        source="C. Stringer et al., Nature Methods 18 (2021), doi:10.1038/s41592-020-01018-x: "
        "cellpose.metrics.average_precision",
        scores=tuple(Score(f"ap_{iou}", _accuracy, "mean", iou=iou) for iou in (0.5, 0.75, 0.9)),
    ),
    Protocol(
        name="ctc_seg",
        measures="IoU of each true object with the prediction that covers more than half of it, mean over true objects",
        source="V. Ulman et al., Nature Methods 14 (2017), doi:10.1038/nmeth.4473: SEG of the Cell Tracking Challenge",
        scores=(Score("seg", attrgetter("score"), "pooled", counted=ctc_segmentation),),
    ),
    Protocol(
        name="coco",
        measures="average precision of objects that share one score, mean over IoU 0.50 to 0.95, all images pooled",
        source="T.-Y. Lin et al., ECCV 2014, doi:10.1007/978-3-319-10602-1_48: pycocotools.cocoeval, without its "
        "limit of detections",
        scores=(
            Score("ap", precision_over_recall, "pooled"),
            Score("ap_0.5", precision_over_recall, "pooled", iou=0.5),
            Score("ap_0.75", precision_over_recall, "pooled", iou=0.75),
            Score("ar", _recall, "pooled"),
        ),
    ),
)

PROTOCOLS = {protocol.name: protocol for protocol in _ALL}
"""All protocols by name. A new one needs an entry above, a row in docs/evaluation.md and a golden table."""


def find_protocol(name: str) -> Protocol:
    """Return the protocol with a given name.

    Args:
        name: name of the protocol.

    Raises:
        ValueError: no protocol has this name; the message lists all names.

    >>> find_protocol("coco").scores[0].name
    'ap'
    """
    if name not in PROTOCOLS:
        raise ValueError(f"got protocol {name!r}, expected one of {', '.join(PROTOCOLS)}; choose one of these")
    return PROTOCOLS[name]
