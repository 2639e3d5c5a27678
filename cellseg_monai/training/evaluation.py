"""The scores of an evaluation, image by image and over all."""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from monai.utils import CommonKeys

from cellseg_monai.atomic import replacing
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.scores import IOU_THRESHOLDS, ObjectCounts, bootstrap_interval, object_counts
from cellseg_monai.scores.foreground import SCORES, ForegroundCounts, foreground_counts, mean_score, pooled_score
from cellseg_monai.scores.instance_scores import object_scores

__all__ = ["EvaluationReport"]

logger = logging.getLogger(__name__)


class EvaluationReport:
    """Writes `evaluation/images.csv` and `evaluation/summary.json`, and logs the summary.

    Each score is given twice: `mean` is the mean of the images' own scores, `pooled` the score of all pixels, or
    objects, together, in which large and crowded images weigh more. The mean F1 of objects over the ten IoU thresholds
    comes with its 95 % bootstrap interval over images.

    Compared are masks, after the threshold alone, and objects as inference writes them, with holes filled and small
    ones dropped; both at the size of the image file. The engine must yield `pred` and `label` as masks, `objects` and
    `truth` as label images.

    The speed in the summary is that of the network in its sliding window, without reading and post-processing.

    Args:
        output_dir: the run's folder.
        settings: of these, the threshold is noted in the summary.
        about: what else is noted there, such as the section and the checkpoint, as plain data.
    """

    def __init__(self, output_dir: str, settings: Postprocessing, about: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(output_dir) / "evaluation"
        self.settings = settings
        self.about = dict(about or {})
        self._images: list[tuple[str, ForegroundCounts, list[ObjectCounts]]] = []
        self._began, self._seconds, self._pixels = 0.0, 0.0, 0

    def attach(self, evaluator: Engine) -> None:
        """Start listening to the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._images.clear)
        evaluator.add_event_handler(Events.ITERATION_STARTED, self._start_clock)
        evaluator.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._stop_clock)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start_clock(self) -> None:
        self._began = time.perf_counter()

    def _stop_clock(self, evaluator: Engine) -> None:
        # MONAI's sliding window brings its result together on the device: wait for it.
        if evaluator.state.device.type == "cuda":
            torch.cuda.synchronize(evaluator.state.device)
        self._seconds += time.perf_counter() - self._began
        self._pixels += evaluator.state.output[CommonKeys.IMAGE][0, 0].numel()

    def _count(self, evaluator: Engine) -> None:
        for given, result in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            masks = (np.asarray(result[key].cpu()) > 0 for key in ("pred", "label"))
            objects = object_counts(*(np.asarray(result[key].cpu()) for key in ("objects", "truth")))
            self._images.append((str(given["image_path"]), foreground_counts(*masks), objects))

    def _write(self) -> None:
        counts = [count for _, count, _ in self._images]
        foreground = {name: {"mean": mean_score(counts, name), "pooled": pooled_score(counts, name)} for name in SCORES}
        objects = self._objects()
        with (
            replacing(self.folder / "images.csv") as aside,
            open(aside, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            found = ["true_objects", "predicted_objects", "f1", *(f"f1_{_hundredths(t)}" for t in IOU_THRESHOLDS)]
            writer.writerow(["image", *SCORES, "tp", "fp", "fn", "tn", *found])
            for path, count, curve in self._images:
                scores = [f"{getattr(count, name):.6f}" for name in SCORES]
                f1 = [each.f1 for each in curve]
                numbers = [curve[0].tp + curve[0].fn, curve[0].tp + curve[0].fp]
                f1_cells = [f"{value:.6f}" for value in (sum(f1) / len(f1), *f1)]
                writer.writerow([path, *scores, count.tp, count.fp, count.fn, count.tn, *numbers, *f1_cells])
        with replacing(self.folder / "summary.json") as aside:
            report = {
                **self.about,
                "images": len(counts),
                "threshold": self.settings.threshold,
                "postprocess": self.settings.to_mapping(),
                "megapixels_per_second": self._pixels / 1e6 / self._seconds,
                "foreground": foreground,
                "objects": objects,
            }
            aside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        logger.info(f"foreground of {len(counts)} images (mean of images | all pixels pooled)")
        for name in SCORES:
            logger.info(f"  {name:<9} {foreground[name]['mean']:.4f} | {foreground[name]['pooled']:.4f}")
        logger.info(f"objects: {objects['true']} true, {objects['predicted']} predicted (mean of images | all pooled)")
        for name in ("f1", "f1_50", "f1_75", "f1_90"):
            logger.info(f"  {name:<9} {objects[name]['mean']:.4f} | {objects[name]['pooled']:.4f}")
        logger.info(f"written to {self.folder}")

    def _objects(self) -> dict[str, Any]:
        images = [objects for _, _, objects in self._images]
        curves = {over: object_scores(images, "f1", pooled=over == "pooled") for over in ("mean", "pooled")}
        low, high = bootstrap_interval(images, lambda counts: np.mean(counts.f1, axis=-1), over="pooled")
        scores = {"f1": {over: float(curve.mean()) for over, curve in curves.items()}}
        for position, threshold in enumerate(IOU_THRESHOLDS):
            scores[f"f1_{_hundredths(threshold)}"] = {over: float(curve[position]) for over, curve in curves.items()}
        quality = {
            over: float(object_scores([each[:1] for each in images], "panoptic_quality", pooled=over == "pooled")[0])
            for over in curves
        }
        return {
            "true": sum(each[0].tp + each[0].fn for each in images),
            "predicted": sum(each[0].tp + each[0].fp for each in images),
            **scores,
            "f1_pooled_interval": None if np.isnan(low) else [low, high],
            "panoptic_quality": quality,
        }


def _hundredths(threshold: float) -> int:
    return round(100 * threshold)
