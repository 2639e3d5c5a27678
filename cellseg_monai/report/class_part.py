"""Sections of a report: the classes of cells and images, and scores by the tags of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cellseg_monai.evaluation.class_figure import confusion_figure
from cellseg_monai.report.html import chart, paragraph, table, text_cell
from cellseg_monai.scores import ClassCounts

__all__ = ["class_part", "tag_part"]

_SHOWN = ("f1_pooled", "f1_50_pooled", "precision_pooled", "recall_pooled", "dice_pooled", "iou_pooled")
_BALANCED = "balanced_accuracy"


def class_part(classes: Mapping[str, Any]) -> str:
    """Return the section on classes as HTML: scores, recall and precision of each class, and confusion matrices.

    Args:
        classes: the summary from `evaluation.read_classes`.
    """
    parts = []
    for subject, entry in classes.items():
        counts = ClassCounts(np.array(entry["confusion"]))
        text = f"Classes of {entry['counted']:,} {subject}: {_balanced_accuracy(entry['scores'][_BALANCED])}"
        if subject == "cells":
            text += " Only cells that were found at an IoU of 0.5 and whose class is known count."
        rows = [
            [text_cell(name), *(text_cell(_number(entry[kind][name])) for kind in ("recall", "precision"))]
            for name in entry["classes"]
        ]
        parts += [
            paragraph(text),
            f'<div class="words">{table(["class", "recall", "precision"], rows)}</div>',
            chart(
                confusion_figure(counts, entry["classes"], subject), f"Confusion matrix of the classes of {subject}."
            ),
        ]
    return "\n".join(parts)


def tag_part(numbers: Mapping[str, Any], classes: Mapping[str, Any]) -> str:
    """Return the section with a table of scores for each tag as HTML; empty if no tag divides the images.

    Args:
        numbers: the summary of the evaluation.
        classes: the summary from `evaluation.read_classes`.
    """
    parts = []
    for tag, values in numbers.get("by", {}).items():
        shown = [name for name in _SHOWN if name in numbers["scores"]] or list(numbers["scores"])
        subjects = [subject for subject, entry in classes.items() if tag in entry["by"]]
        head = [tag, "images", *shown, *(f"balanced accuracy of {subject}" for subject in subjects)]
        rows = []
        for value, part in values.items():
            cells = [value, part["images"], *(_number(part["scores"][name]["value"]) for name in shown)]
            for subject in subjects:
                of_subject = classes[subject]["by"][tag].get(value)
                counted = of_subject is not None and of_subject["counted"]
                cells.append(_number(of_subject["scores"][_BALANCED]["value"]) if counted else "none")
            rows.append([text_cell(cell) for cell in cells])
        parts.append(f'<div class="scroll" tabindex="0">{table(head, rows, sortable=True)}</div>')
    return "\n".join(parts)


def _balanced_accuracy(score: Mapping[str, Any]) -> str:
    interval = score["interval_95"]
    text = f" (95 % interval over images {interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    return f"balanced accuracy {score['value']:.3f}{text}."


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
