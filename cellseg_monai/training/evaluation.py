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
from cellseg_monai.labels import Postprocessing
from cellseg_monai.labels.foreground import SCORES, ForegroundCounts, foreground_counts, mean_score, pooled_score

__all__ = ["EvaluationReport"]

logger = logging.getLogger(__name__)


class EvaluationReport:
    """Writes `evaluation/images.csv` and `evaluation/summary.json`, and logs the summary.

    Each score is given twice: `mean` is the mean of the images' own scores, `pooled` the score of all pixels
    together, in which large and crowded images weigh more.

    Compared are masks of the size of the image file, after the threshold alone. The label images that inference writes
    have their holes filled and small objects dropped as well.

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
        self._images: list[tuple[str, ForegroundCounts]] = []
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
            self._images.append((str(given["image_path"]), foreground_counts(*masks)))

    def _write(self) -> None:
        counts = [count for _, count in self._images]
        summary = {name: {"mean": mean_score(counts, name), "pooled": pooled_score(counts, name)} for name in SCORES}
        with (
            replacing(self.folder / "images.csv") as aside,
            open(aside, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["image", *SCORES, "tp", "fp", "fn", "tn"])
            for path, count in self._images:
                scores = [f"{getattr(count, name):.6f}" for name in SCORES]
                writer.writerow([path, *scores, count.tp, count.fp, count.fn, count.tn])
        with replacing(self.folder / "summary.json") as aside:
            report = {
                **self.about,
                "images": len(counts),
                "threshold": self.settings.threshold,
                "megapixels_per_second": self._pixels / 1e6 / self._seconds,
                "foreground": summary,
            }
            aside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        logger.info(f"foreground of {len(counts)} images (mean of images | all pixels pooled)")
        for name in SCORES:
            logger.info(f"  {name:<9} {summary[name]['mean']:.4f} | {summary[name]['pooled']:.4f}")
        logger.info(f"written to {self.folder}")
