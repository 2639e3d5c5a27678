"""Evaluating a trained network, with the same output files as `cellseg evaluate`."""

from __future__ import annotations

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

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.evaluation import EvaluatedImage, Evaluation, FilePair, format_results, read_summary, write_results
from cellseg_monai.evaluation.by_tag import text_tags
from cellseg_monai.evaluation.protocols import OWN
from cellseg_monai.io import image_stem, write_labels

__all__ = ["EvaluationReport"]

logger = logging.getLogger(__name__)

_FOREGROUND = "pixels above the threshold, before holes are filled and small objects are dropped"


class EvaluationReport:
    """A handler that scores a trained network under the protocol `cellseg`, writes the results and logs the scores.

    The handler writes `cellseg_images.csv`, `cellseg_summary.json` and `cellseg_f1.png` to the folder `evaluation` (see
    `evaluation.write_results`), and the predicted label images to `evaluation/labels`. It replaces any earlier
    evaluation there.

    Objects are scored as inference writes them, with holes filled and small objects removed. The foreground is scored
    as it is directly after thresholding. Both are compared at the size of the image file. The engine must yield `pred`
    as a mask, and `objects` and `truth` as label images.

    In addition to `about`, the summary holds the `threshold`, all `postprocess` settings, and `megapixels_per_second`,
    the speed of the network including tiling, without reading and post-processing. Where tags divide the images, it
    also holds the scores of the images with each value of a tag.

    Args:
        output_dir: the run folder.
        settings: the post-processing settings.
        about: further facts for the summary, such as the section and the checkpoint, as plain data.
    """

    def __init__(self, output_dir: str, settings: Postprocessing, about: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(output_dir) / "evaluation"
        self.settings = settings
        self.about = dict(about or {})
        self._images: dict[str, EvaluatedImage] = {}
        self._began, self._seconds, self._pixels = 0.0, 0.0, 0

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_STARTED, self._start_clock)
        evaluator.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._stop_clock)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _start(self) -> None:
        self._images.clear()
        for path in (self.folder / "labels").glob("*.tif"):
            path.unlink()  # an earlier evaluation may have covered other images

    def _start_clock(self) -> None:
        self._began = time.perf_counter()

    def _stop_clock(self, evaluator: Engine) -> None:
        # A GPU runs asynchronously, so wait for its result before reading the clock.
        if evaluator.state.device.type == "cuda":
            torch.cuda.synchronize(evaluator.state.device)
        self._seconds += time.perf_counter() - self._began
        self._pixels += evaluator.state.output[CommonKeys.IMAGE][0, 0].numel()

    def _count(self, evaluator: Engine) -> None:
        for item, result in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            mask, objects, truth = (np.asarray(result[key].cpu())[0] for key in ("pred", "objects", "truth"))
            image = Path(item["image_path"])
            name = self._unused_name(image_stem(image))
            files = FilePair(
                name,
                truth=Path(item["label_path"]).absolute(),
                prediction=(self.folder / "labels" / f"{name}.tif").absolute(),
                image=image.absolute(),
            )
            write_labels(files.prediction, objects, durable=False)
            counts = OWN.count(objects, truth, mask > 0)
            self._images[name] = EvaluatedImage(files, counts, text_tags(item.get("tags", {})))

    def _unused_name(self, stem: str) -> str:
        """Return the stem, or the stem with a number if an image from another folder already uses it."""
        name, number = stem, 1
        while name in self._images:
            number += 1
            name = f"{stem}_{number}"
        return name

    def _write(self) -> None:
        about = {
            **self.about,
            "threshold": self.settings.threshold,
            "postprocess": self.settings.to_mapping(),
            "megapixels_per_second": self._pixels / 1e6 / self._seconds,
        }
        write_results(Evaluation(OWN, list(self._images.values()), about=about, foreground=_FOREGROUND), self.folder)
        for line in format_results(read_summary(self.folder, OWN)).splitlines():
            logger.info(line)
        logger.info(f"wrote the results to {self.folder}")
