"""The scores in the tables of docs/accuracy.md, as `cellseg evaluate` computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cellseg_monai.evaluation import FilePair, ImageCounts, ScoreResult, evaluate_pairs, find_protocol
from cellseg_monai.io import read_labels
from cellseg_monai.scores import ForegroundCounts, bootstrap_interval, foreground_counts, over_images

__all__ = ["PROTOCOL", "foreground_agreement", "score_files", "scored"]

_OWN = find_protocol("cellseg")

PROTOCOL = replace(_OWN, scores=tuple(score for score in _OWN.scores if score.name in ("f1_50_pooled", "f1_pooled")))
"""The protocol `cellseg` with only the two scores of the tables: F1 at an IoU of 0.5, and the mean over thresholds."""


def scored(images: Sequence[ImageCounts]) -> dict[str, Any]:
    """Return the numbers that the tables show for the counts of some images, as JSON-compatible values."""
    return {
        "images": len(images),
        "objects": sum(image.true_objects for image in images),
        "found": sum(image.predicted_objects for image in images),
        **{name: _numbers(result) for name, result in PROTOCOL.results(images).items()},
    }


def score_files(truths: Mapping[str, Path], predictions: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Return the numbers for label images in files.

    An image without a prediction counts as one in which nothing was found, so that a failure costs what it should.

    Args:
        truths: the true label image of each image, by the name of the image.
        predictions: the predicted ones.
        folder: folder for empty label images, which stand for those that are missing.
    """
    missing = [name for name in truths if name not in predictions]
    folder.mkdir(parents=True, exist_ok=True)
    empty = {name: folder / f"{name}_labels.tif" for name in missing}
    for name, path in empty.items():
        tifffile.imwrite(path, np.zeros(read_labels(truths[name]).shape, np.uint16), compression="zlib")
    pairs = [FilePair(name, truth, empty.get(name) or predictions[name]) for name, truth in truths.items()]
    evaluation = evaluate_pairs(pairs, PROTOCOL)
    if evaluation.faults:
        raise SystemExit("error: " + "\n".join(map(str, evaluation.faults)))
    return {**scored(evaluation.counts), "failed": len(missing)}


def foreground_agreement(pairs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Return how well two segmentations of the same fields agree inside masks, and what lies outside.

    Args:
        pairs: for each field, the label image to judge, the one to compare it with, and a mask of the pixels with data,
            all YX.

    Returns:
        The IoU of the foreground inside, with all fields pooled, and the number of objects with a pixel outside.
    """
    counts: list[ForegroundCounts] = []
    outside = 0
    for labels, expected, has_data in pairs:
        counts.append(foreground_counts(labels[has_data][np.newaxis] > 0, expected[has_data][np.newaxis] > 0))
        outside += np.count_nonzero(np.unique(labels[~has_data]))
    low, high = bootstrap_interval(counts, "iou", over="pooled") if len(counts) > 1 else (math.nan, math.nan)
    iou = ScoreResult(float(over_images(counts, "iou", "pooled")), low, high)
    return {"images": len(counts), "iou": _numbers(iou), "objects_outside": int(outside)}


def _numbers(result: ScoreResult) -> dict[str, Any]:
    is_known = not math.isnan(result.low)
    rounded = [round(end, 4) for end in (result.low, result.high)] if is_known else None
    return {"value": round(result.value, 4), "interval_95": rounded}
