"""Writing and reading what an evaluation found about classes: scores with intervals, confusion matrices, and figures.

`classes_summary.json` has an entry for `cells` and one for `images`, where there was anything to count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation.by_tag import positions_by_tag
from cellseg_monai.evaluation.class_figure import confusion_figure
from cellseg_monai.json_text import parse_json
from cellseg_monai.scores import ClassCounts, Over, bootstrap_interval, over_images
from cellseg_monai.text_file import read_text

__all__ = ["ClassEvaluation", "format_classes", "read_classes", "write_classes"]

_SUMMARY = "classes_summary.json"
_OVER: Over = "pooled"


@dataclass(frozen=True)
class ClassEvaluation:
    """The classes that were compared in a set of images.

    Args:
        subject: what has the classes, "cells" or "images".
        names: names of the classes.
        counts: the counts of each image.
        tags: the tags of each image, by which the scores are also given.
    """

    subject: str
    names: Sequence[str]
    counts: Sequence[ClassCounts]
    tags: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def pooled(self) -> ClassCounts:
        """The counts of all images together."""
        return sum(self.counts[1:], self.counts[0])

    @property
    def counted(self) -> int:
        """Number of cells or images whose class was compared."""
        return int(self.pooled.confusion.sum()) if self.counts else 0

    def by_tag(self) -> dict[str, dict[str, ClassEvaluation]]:
        """Return the evaluation of the images with each value of each tag; see `positions_by_tag`."""
        return {
            name: {
                value: ClassEvaluation(self.subject, self.names, [self.counts[number] for number in positions])
                for value, positions in by_value.items()
            }
            for name, by_value in positions_by_tag(self.tags).items()
        }


def write_classes(evaluations: Sequence[ClassEvaluation], output_dir: str | Path) -> list[Path]:
    """Write `classes_summary.json`, and the confusion matrix of each evaluation as a figure.

    Args:
        evaluations: evaluations of cells and images. Those without anything to compare are left out.
        output_dir: output folder, created if needed; earlier files are overwritten.

    Returns:
        Paths of the files; empty if there was nothing to compare.
    """
    folder, compared = Path(output_dir), [evaluation for evaluation in evaluations if evaluation.counted]
    figures = {evaluation.subject: folder / f"{evaluation.subject}_confusion.png" for evaluation in evaluations}
    for path in (folder / _SUMMARY, *figures.values()):
        path.unlink(missing_ok=True)  # of an earlier evaluation, which may have compared more
    if not compared:
        return []
    content = {"cellseg_monai": __version__, **{evaluation.subject: _summary(evaluation) for evaluation in compared}}
    with replacing(folder / _SUMMARY) as aside:
        aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for evaluation in compared:
        with replacing(figures[evaluation.subject]) as aside:
            figure = confusion_figure(evaluation.pooled, evaluation.names, evaluation.subject)
            figure.savefig(aside, format="png", dpi=110)
    return [folder / _SUMMARY, *(figures[evaluation.subject] for evaluation in compared)]


def read_classes(output_dir: str | Path) -> dict[str, Any]:
    """Read the summary that `write_classes` wrote, by subject; empty if there was nothing to compare.

    Args:
        output_dir: folder that contains the evaluation.

    Raises:
        DatasetError: the summary cannot be read.
    """
    path = Path(output_dir) / _SUMMARY
    if not path.is_file():
        return {}
    try:
        content = parse_json(read_text(path))
        return {subject: content[subject] for subject in ("cells", "images") if subject in content}
    except (TypeError, ValueError) as error:
        raise DatasetError(f"cannot read {path} ({error}); repeat the evaluation") from error


def format_classes(summary: Mapping[str, Any]) -> str:
    """Format a summary as text, one line per subject.

    Args:
        summary: the summary, as returned by `read_classes`.

    >>> score = {"value": 0.9, "interval_95": [0.8, 0.95], "over": "pooled"}
    >>> print(format_classes({"cells": {"counted": 50, "scores": {"balanced_accuracy": score}}}))
    classes of 50 cells: balanced accuracy 0.9000 (95 % interval 0.8000 to 0.9500)
    """
    lines = []
    for subject, entry in summary.items():
        score = entry["scores"]["balanced_accuracy"]
        interval = score["interval_95"]
        text = f" (95 % interval {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
        lines.append(f"classes of {entry['counted']} {subject}: balanced accuracy {score['value']:.4f}{text}")
    return "\n".join(lines)


def _summary(evaluation: ClassEvaluation) -> dict[str, Any]:
    pooled = evaluation.pooled
    return {
        "classes": list(evaluation.names),
        "counted": evaluation.counted,
        "confusion": np.asarray(pooled.confusion).tolist(),
        "scores": _scores(evaluation.counts),
        "recall": _by_name(evaluation.names, pooled.recalls),
        "precision": _by_name(evaluation.names, pooled.precisions),
        "by": {
            tag: {
                value: {"images": len(part.counts), "counted": part.counted, "scores": _scores(part.counts)}
                for value, part in parts.items()
            }
            for tag, parts in evaluation.by_tag().items()
        },
    }


def _scores(images: Sequence[ClassCounts]) -> dict[str, Any]:
    scores = {}
    for name in ClassCounts.scores:
        low, high = bootstrap_interval(images, name, over=_OVER) if len(images) > 1 else (math.nan, math.nan)
        value = float(over_images(images, name, _OVER))
        scores[name] = {"value": value, "interval_95": None if math.isnan(low) else [low, high], "over": _OVER}
    return scores


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in zip(names, values.tolist(), strict=True)}
