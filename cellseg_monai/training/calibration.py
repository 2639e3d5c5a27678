"""The threshold chosen on validation images, and the curve that it was chosen on."""

from __future__ import annotations

import csv
import dataclasses
import logging
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from ignite.engine import Engine, Events

from cellseg_monai.atomic import replacing
from cellseg_monai.errors import CheckpointError
from cellseg_monai.labels import (
    ForegroundCounts,
    Postprocessing,
    foreground_counts_by_threshold,
    mean_score,
    pooled_score,
)
from cellseg_monai.training.checkpoint_file import fitted_settings

__all__ = ["THRESHOLDS", "ThresholdCalibration", "best_threshold"]

logger = logging.getLogger(__name__)

THRESHOLDS = tuple(step / 20 for step in range(1, 20))


def best_threshold(thresholds: Sequence[float], scores: Sequence[float]) -> float:
    """The threshold with the highest score; of several, the one nearest to 0.5.

    >>> best_threshold([0.1, 0.4, 0.9], [0.7, 0.8, 0.8])
    0.4
    """
    best = max(scores)
    return min((t for t, score in zip(thresholds, scores, strict=True) if score == best), key=lambda t: abs(t - 0.5))


class ThresholdCalibration:
    """Chooses the threshold with the highest mean Dice of images, and writes it beside the weights.

    It writes the settings beside the checkpoint (see `fitted_settings`), where evaluation and inference find them, and
    the curve of each threshold from 0.05 to 0.95 to `calibration/threshold_curve.csv`. The engine must yield `pred` as
    probabilities of validation images, never of those that scores are reported on.

    Args:
        checkpoint: the weights that the network has.
        output_dir: the run's folder.
        settings: the settings to start from; all but the threshold are kept.
    """

    def __init__(self, checkpoint: str | PathLike[str], output_dir: str, settings: Postprocessing) -> None:
        self.target = fitted_settings(checkpoint)
        self.curve = Path(output_dir) / "calibration" / "threshold_curve.csv"
        self.settings = settings
        self._images: list[list[ForegroundCounts]] = []

    def attach(self, evaluator: Engine) -> None:
        """Start listening to the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start(self) -> None:
        # Before minutes of work, not after them.
        if not os.access(self.target.parent, os.W_OK):
            raise CheckpointError(
                f"{self.target} cannot be written, where it would be found beside the weights; copy the weights to a "
                "folder of yours, and name them with `--checkpoint PATH`"
            )
        self._images.clear()

    def _count(self, evaluator: Engine) -> None:
        for item in evaluator.state.output:
            probabilities, truth = (np.asarray(item[key].cpu()) for key in ("pred", "label"))
            self._images.append(foreground_counts_by_threshold(probabilities, truth > 0, THRESHOLDS))

    def _write(self) -> None:
        rows = []
        for threshold, counts in zip(THRESHOLDS, zip(*self._images, strict=True), strict=True):
            means = {name: mean_score(counts, name) for name in ("dice", "iou")}
            pooled = {f"{name}_pooled": pooled_score(counts, name) for name in ("dice", "iou")}
            rows.append({"threshold": threshold, **means, **pooled})
        with replacing(self.curve) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        chosen = best_threshold(THRESHOLDS, [row["dice"] for row in rows])
        score = max(row["dice"] for row in rows)
        dataclasses.replace(self.settings, threshold=chosen).to_json(self.target)
        logger.info(f"threshold {chosen}: mean Dice {score:.4f} of {len(self._images)} validation images")
        logger.info(f"written to {self.target}, the curve to {self.curve}")
