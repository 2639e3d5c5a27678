"""An evaluation as files: a row per image, a summary with intervals, and a figure."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.evaluation.figure import draw_f1
from cellseg_monai.evaluation.folders import Evaluation
from cellseg_monai.evaluation.protocol import ScoreResult
from cellseg_monai.scores import object_scores

__all__ = ["format_results", "summary", "write_results"]

_WAYS = {"mean": "mean of images", "median": "median of images", "pooled": "all objects together"}


def write_results(evaluation: Evaluation, output_dir: str | Path) -> list[Path]:
    """Write an evaluation to a folder; those under other protocols, which lie in it, stay.

    Args:
        evaluation: of one image at least.
        output_dir: the folder; made if it is not there. An earlier evaluation under this protocol is replaced.

    Returns:
        The files: `<protocol>_images.csv`, `<protocol>_summary.json` and `<protocol>_f1.png`.
    """
    names = ("images.csv", "summary.json", "f1.png")
    table, report, figure = (Path(output_dir) / f"{evaluation.protocol.name}_{name}" for name in names)
    with replacing(table) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_rows(evaluation))
    with replacing(report) as aside:
        aside.write_text(json.dumps(summary(evaluation), indent=2) + "\n", encoding="utf-8")
    draw_f1(figure, evaluation.protocol, evaluation.counts)
    return [table, report, figure]


def _rows(evaluation: Evaluation) -> list[list[object]]:
    """A header, and a row for each image; FP and FN at a threshold are the predicted and the true objects less TP."""
    protocol = evaluation.protocol
    header = ["image", "truth", "prediction", "true_objects", "predicted_objects"]
    header += [score.name for score in protocol.scores]
    rows: list[list[object]] = [[*header, *(f"tp_{threshold:.2f}" for threshold in protocol.thresholds)]]
    for image in evaluation.images:
        scores = [f"{protocol.value(score, [image.counts]):.6f}" for score in protocol.scores]
        files = [image.files.name, image.files.truth.as_posix(), image.files.prediction.as_posix()]
        objects = [image.counts.true_objects, image.counts.predicted_objects]
        rows.append([*files, *objects, *scores, *(each.tp for each in image.counts.objects)])
    return rows


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as plain data, with all that is needed to know what its scores mean."""
    protocol, images = evaluation.protocol, [each.objects for each in evaluation.counts]
    results = protocol.results(evaluation.counts)
    return {
        "protocol": protocol.name,
        "measures": protocol.measures,
        "source": protocol.source,
        "cellseg_monai": __version__,
        "images": len(images),
        "not_evaluated": [str(fault) for fault in evaluation.faults],
        "warnings": [str(fault) for fault in evaluation.warnings],
        "true_objects": sum(each.true_objects for each in evaluation.counts),
        "predicted_objects": sum(each.predicted_objects for each in evaluation.counts),
        "scores": {
            score.name: {
                "value": results[score.name].value,
                "interval_95": _interval(results[score.name]),
                "over": _WAYS[score.over],
            }
            for score in protocol.scores
        },
        "iou": {
            "thresholds": list(protocol.thresholds),
            "matches": "greater than the threshold" if protocol.strict else "at least the threshold",
            "f1_mean_of_images": object_scores(images, "f1", pooled=False).tolist(),
            "f1_all_objects_together": object_scores(images, "f1", pooled=True).tolist(),
        },
    }


def _interval(result: ScoreResult) -> list[float] | None:
    return None if math.isnan(result.low) else [result.low, result.high]


def format_results(found: dict[str, Any]) -> str:
    """A summary as text, one score a line.

    >>> score = {"value": 0.81, "interval_95": [0.7, 0.9], "over": "mean of images"}
    >>> print(format_results({"protocol": "dsb2018", "images": 9, "true_objects": 80, "predicted_objects": 78,
    ...                       "scores": {"mean_average_precision": score}}))
    dsb2018: 9 image(s), 80 true and 78 predicted objects
      mean_average_precision  0.8100  (95 % interval 0.7000 to 0.9000; mean of images)
    """
    head = f"{found['protocol']}: {found['images']} image(s), "
    lines = [f"{head}{found['true_objects']} true and {found['predicted_objects']} predicted objects"]
    width = max(map(len, found["scores"]))
    for name, score in found["scores"].items():
        interval = score["interval_95"]
        said = f"95 % interval {interval[0]:.4f} to {interval[1]:.4f}; " if interval else ""
        lines.append(f"  {name:<{width}}  {score['value']:.4f}  ({said}{score['over']})")
    return "\n".join(lines)
