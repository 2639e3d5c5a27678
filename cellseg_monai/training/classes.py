"""Handlers for classes: confusion matrices while training, and a report after evaluating a trained network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from ignite.engine import Engine, Events

from cellseg_monai.evaluation import ClassEvaluation, format_classes, read_classes, write_classes
from cellseg_monai.evaluation.class_figure import confusion_figure, picture_of_figure
from cellseg_monai.heads import Head
from cellseg_monai.scores import ClassCounts, cell_class_counts, image_class_counts

__all__ = ["ClassReport", "ConfusionPictures"]

logger = logging.getLogger(__name__)


class HasConfusion(Protocol):
    """A metric of classes, such as `metrics.CellClassScore`."""

    @property
    def confusion(self) -> np.ndarray:
        """The confusion matrix of all images since the last reset."""


class ConfusionPictures:
    """A handler that draws the confusion matrices of a validation, for `TensorBoardLog`.

    The pictures are left in `evaluator.state.pictures`, by name. Nothing is drawn where no class is known.

    Args:
        scores: metrics of the same validation for "cells", "images" or both; see `metrics.CellClassScore`.
        head: the head in training, which names the classes.
    """

    def __init__(self, scores: Mapping[str, HasConfusion], head: Head) -> None:
        self.scores = dict(scores)
        self.names = {"cells": head.class_names, "images": head.image_class_names}

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._draw)

    def _draw(self, evaluator: Engine) -> None:
        pictures: dict[str, np.ndarray] = {}
        for subject, score in self.scores.items():
            confusion = score.confusion  # gathered in all processes
            if confusion.any():
                figure = confusion_figure(ClassCounts(confusion), self.names[subject], subject)
                pictures[f"confusion of {subject}"] = picture_of_figure(figure)
        evaluator.state.pictures = pictures


class ClassReport:
    """A handler that scores the classes that a trained network predicts, writes the results, and logs the scores.

    It writes `classes_summary.json` and the confusion matrices to the folder `evaluation` (see
    `evaluation.write_classes`), with the scores of the images with each value of each tag. The engine must yield what
    `transforms.ClassifyObjectsd` adds.

    Args:
        output_dir: the run folder.
        head: the head that the network was trained with.
    """

    def __init__(self, output_dir: str, head: Head) -> None:
        self.folder = Path(output_dir) / "evaluation"
        self.cell_names = head.class_names
        self.image_names = head.image_class_names
        self._cells: list[ClassCounts] = []
        self._images: list[ClassCounts] = []
        self._tags: list[dict[str, Any]] = []

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start(self) -> None:
        for kept in (self._cells, self._images, self._tags):
            kept.clear()

    def _count(self, evaluator: Engine) -> None:
        for item in evaluator.state.output:
            found, truth = (torch.as_tensor(item[key]).numpy(force=True) for key in ("classified", "truly_classified"))
            self._cells.append(cell_class_counts(found, truth, len(self.cell_names)))
            seen, true = (int(item[key][0]) for key in ("image_class", "true_image_class"))
            self._images.append(image_class_counts(seen, true, len(self.image_names)))
            self._tags.append(dict(item.get("tags", {})))

    def _write(self) -> None:
        cells = ClassEvaluation("cells", self.cell_names, self._cells, self._tags)
        images = ClassEvaluation("images", self.image_names, self._images, self._tags)
        for evaluation in (cells, images):
            if len(evaluation.names) > 1 and not evaluation.counted:
                logger.warning(
                    f"no {evaluation.subject} of known class could be compared, so there is no score of them"
                )
        if write_classes([cells, images], self.folder):
            for line in format_classes(read_classes(self.folder)).splitlines():
                logger.info(line)
