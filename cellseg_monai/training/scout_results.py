"""Handlers that evaluate, calibrate and use a scout, image by image."""

from __future__ import annotations

import json
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from monai.utils import CommonKeys

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.data import Item
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import (
    INTERVAL,
    KINDS,
    Certainty,
    Sighting,
    fitted_certainty,
    look_of,
    sighting_of,
    write_looks,
)
from cellseg_monai.scouting.certainty import wrongness
from cellseg_monai.scouting.scores import Compared, confusion, sighting_scores
from cellseg_monai.spreadsheets import writing_table

__all__ = ["ScoutCalibration", "ScoutReport", "SightingsWriter"]

logger = logging.getLogger(__name__)


class _OfImages(ABC):
    """A handler that keeps what a scout says about every image, and uses it at the end.

    The engine must yield `pred`, the answers about the views of one image, and `label`; see `training.WholeViews`.

    Args:
        data: the items, in the order of the engine.
        certainty: corrections of the network's certainty.
    """

    def __init__(self, data: Sequence[Item], certainty: Certainty) -> None:
        self.data = data
        self.certainty = certainty
        self._seen: list[tuple[Item, Sighting, np.ndarray]] = []

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._seen.clear)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        evaluator.add_event_handler(Events.COMPLETED, self._finish)

    def _keep(self, evaluator: Engine) -> None:
        output = evaluator.state.output
        answers, targets = (output[key].float().numpy(force=True) for key in (CommonKeys.PRED, CommonKeys.LABEL))
        item = self.data[evaluator.state.iteration - 1]
        self._seen.append((item, sighting_of(answers, targets[:, 4].tolist(), self.certainty), targets[0]))

    @abstractmethod
    def _finish(self) -> None:
        """Use what was kept, after the last image."""

    def _compared(self) -> list[Compared]:
        compared = []
        for item, sighting, (log2_diameter, is_dark, kind, is_known, factor) in self._seen:
            diameter = 2.0 ** float(log2_diameter) * float(factor) if is_known else math.nan
            dataset = str(item.get("tags", {}).get("dataset", ""))
            compared.append(Compared(sighting, list(KINDS)[int(kind)], diameter, bool(is_dark), dataset))
        return compared


class ScoutReport(_OfImages):
    """A handler that writes how often a scout is right to the folder `evaluation`, and logs it.

    `scout_images.csv` has a row for each image. `scout_summary.json` has the scores of `sighting_scores` for all images
    and for each data set, and the number of images of each kind that were taken for each kind.

    Args:
        output_dir: the run folder.
        data: the items, in the order of the engine.
        certainty: corrections of the network's certainty.
        about: further facts for the summary, such as the section and the checkpoint, as plain data.
    """

    def __init__(
        self, output_dir: str, data: Sequence[Item], certainty: Certainty, about: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, certainty)
        self.folder = Path(output_dir) / "evaluation"
        self.about = dict(about or {})

    def _finish(self) -> None:
        compared = self._compared()
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "image": str(item["image"]),
                "dataset": image.dataset,
                "kind": image.kind,
                "seen_kind": image.sighting.kind,
                "probability": round(image.sighting.probability, 4),
                "diameter_px": round(image.diameter_px, 2),
                "seen_diameter_px": round(image.sighting.diameter_px, 2),
                "low_px": round(image.sighting.interval_px[0], 2),
                "high_px": round(image.sighting.interval_px[1], 2),
                "is_dark": int(image.is_dark),
                "seen_dark": round(image.sighting.dark, 4),
            }
            for (item, _, _), image in zip(self._seen, compared, strict=True)
        ]
        with writing_table(self.folder / "scout_images.csv", rows[0]) as table:
            for row in rows:
                table.write(row.values())
        names = sorted({image.dataset for image in compared})
        datasets = {name: [image for image in compared if image.dataset == name] for name in names}
        summary = {
            "protocol": "scout",
            "cellseg_monai": __version__,
            "about": {**self.about, "postprocess": self.certainty.to_mapping(), "interval": INTERVAL},
            "images": len(compared),
            "scores": sighting_scores(compared),
            "confusion": confusion(compared),
            "datasets": {name: sighting_scores(images) for name, images in datasets.items()},
        }
        with replacing(self.folder / "scout_summary.json") as aside:
            aside.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        for name, score in sighting_scores(compared).items():
            logger.info(f"{name}: {score['value']} ({score['images']} images)")
        logger.info(f"wrote the results to {self.folder}")


class ScoutCalibration(_OfImages):
    """A handler that fits the certainty of a scout, and writes it to a `postprocess.json`; see `fitted_certainty`.

    Args:
        target: file for the settings, such as `fitted_settings(checkpoint)`.
        data: the items, in the order of the engine.
    """

    def __init__(self, target: str | Path, data: Sequence[Item]) -> None:
        super().__init__(data, Certainty())
        self.target = Path(target)

    def _finish(self) -> None:
        compared = self._compared()
        known = [image.known for image in compared]
        fitted = fitted_certainty(known)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        fitted.to_json(self.target)
        before, after = wrongness(known, 1.0), wrongness(known, fitted.temperature)
        coverage = sighting_scores(compared)["interval_coverage"]["value"]
        logger.info(f"mean negative log probability of the kind: {before:.4f} before, {after:.4f} after")
        logger.info(f"share of diameters in the {100 * INTERVAL:.0f} % interval before: {coverage}")
        logger.info(f"wrote {fitted} to {self.target}")


class SightingsWriter(_OfImages):
    """A handler that writes what a scout says about images to `scouting/sightings.csv` and `scouting/sightings.json`.

    Args:
        output_dir: the run folder.
        data: the items, in the order of the engine.
        certainty: corrections of the network's certainty.
        bundles: the bundles to suggest, with their preparations of images.
    """

    def __init__(
        self, output_dir: str, data: Sequence[Item], certainty: Certainty, bundles: Mapping[str, Preprocessing]
    ) -> None:
        super().__init__(data, certainty)
        self.folder = Path(output_dir) / "scouting"
        self.bundles = bundles

    def _finish(self) -> None:
        looks = [look_of(str(item["image"]), [sighting], self.bundles) for item, sighting, _ in self._seen]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("sightings.csv", "sightings.json"):
            write_looks(self.folder / name, looks)
        logger.info(f"wrote what {len(looks)} image(s) show to {self.folder}")
