"""Settings of post-processing fitted to weights on annotated images, and the curves that they were chosen on."""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from cellseg_monai.atomic import replacing
from cellseg_monai.data.content_digest import items_digest
from cellseg_monai.decoding import Maps, Postprocessing
from cellseg_monai.errors import CheckpointError
from cellseg_monai.scores.search import Found, Sweep, Trial, check_sweeps, search_postprocessing

__all__ = ["Calibration"]

logger = logging.getLogger(__name__)


class _ImagesOnDisk(Sequence[tuple[Maps, np.ndarray]]):
    """Maps and true label images of many images on disk; the files of an image are open only while it is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._map_names: list[tuple[str, ...]] = []

    def append(self, maps: Mapping[str, np.ndarray], truth: np.ndarray) -> None:
        index = len(self)
        for number, values in enumerate(maps.values()):
            np.save(self._map_file(index, number), values)
        np.save(self._truth_file(index), truth)
        self._map_names.append(tuple(maps))

    def __len__(self) -> int:
        return len(self._map_names)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        maps = {
            name: np.load(self._map_file(index, number), mmap_mode="r")
            for number, name in enumerate(self._map_names[index])
        }
        return maps, np.load(self._truth_file(index), mmap_mode="r")

    def _map_file(self, index: int, number: int) -> Path:
        return self.folder / f"{index}_map_{number}.npy"

    def _truth_file(self, index: int) -> Path:
        return self.folder / f"{index}_truth.npy"


class Calibration:
    """Chooses settings of post-processing by a search, and writes them where evaluation and inference find them.

    The network sees each image once: its probabilities wait on disk for the search, whose every trial makes objects as
    inference does. Besides the settings, `calibration/curve.csv` holds all that was tried, and
    `calibration/calibration.json` the settings, their score with its interval, that of the settings before, the section
    and the SHA-256 of the images and labels.

    The engine must yield `maps` at the scale of the network, and `label` as the true label image.

    Args:
        target: the file for the settings, such as `fitted_settings(checkpoint)`.
        output_dir: the run's folder.
        settings: the settings to start from; what is not swept is kept.
        search: the sweeps, in order, as mappings of the arguments of `labels.search.Sweep`.
        section: where the images are from, which is noted.
        rounds: how often all are swept at most.
    """

    def __init__(
        self,
        target: str | PathLike[str],
        output_dir: str,
        settings: Postprocessing,
        search: Sequence[dict],
        *,
        section: str = "validation",
        rounds: int = 2,
    ) -> None:
        self.target = Path(target)
        self.folder = Path(output_dir) / "calibration"
        self.settings = settings
        self.sweeps = [Sweep(**sweep) for sweep in search]
        check_sweeps(settings, self.sweeps)
        self.section = section
        self.rounds = rounds

    def attach(self, evaluator: Engine) -> None:
        """Start listening to the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        evaluator.add_event_handler(Events.COMPLETED, self._search)

    def _start(self) -> None:
        # Before minutes of work, not after them.
        if not _can_be_written(self.target.parent):
            raise CheckpointError(
                f"{self.target} cannot be written, where it would be found beside the weights; copy the weights to a "
                "folder of yours, and name them with `--checkpoint PATH`, or name a file with `--calibrated PATH`"
            )
        if not _can_be_written(self.folder):
            raise CheckpointError(
                f"{self.folder}, for what is tried, cannot be written; name a folder of yours with `--output_dir PATH`"
            )
        # Removed with the object, also when the run fails.
        self._cache = tempfile.TemporaryDirectory(prefix="cellseg_calibration_")
        self._images = _ImagesOnDisk(Path(self._cache.name))
        self._items: list[dict[str, str]] = []

    def _keep(self, evaluator: Engine) -> None:
        for given, result in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            self._images.append(result["maps"], result["label"].numpy(force=True)[0])
            self._items.append({"image": str(given["image_path"]), "label": str(given["label_path"])})

    def _search(self) -> None:
        logger.info(f"searching settings on {len(self._images)} images")
        found = search_postprocessing(self._images, self.settings, self.sweeps, rounds=self.rounds)
        with replacing(self.folder / "curve.csv") as aside, open(aside, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Trial)])
            writer.writeheader()
            writer.writerows(dataclasses.asdict(trial) for trial in found.trials)
        with replacing(self.folder / "calibration.json") as aside:
            aside.write_text(json.dumps(self._report(found), indent=2) + "\n", encoding="utf-8")
        found.settings.to_json(self.target)
        self._cache.cleanup()
        settings = found.settings.to_mapping()
        changed = {sweep.setting: settings[sweep.setting] for sweep in self.sweeps}
        logger.info("chosen: " + ", ".join(f"{name} {value}" for name, value in changed.items()))
        logger.info(f"mean F1 {found.f1:.4f}{_interval(found)}, before {found.f1_before:.4f}")
        logger.info(f"F1 at IoU 0.5 {found.f1_50:.4f}, mean Dice {found.dice:.4f}")
        logger.info("all of the very images that the settings were chosen on; others may score lower")
        logger.info(f"written to {self.target}, what was tried to {self.folder}")

    def _report(self, found: Found) -> dict[str, object]:
        return {
            "settings": found.settings.to_mapping(),
            "f1": found.f1,
            "f1_interval": None if np.isnan(found.f1_interval[0]) else list(found.f1_interval),
            "f1_50": found.f1_50,
            "dice": found.dice,
            "f1_before": found.f1_before,
            "section": self.section,
            "images": len(self._items),
            "sha256": items_digest(self._items),
            "objectives": {sweep.setting: sweep.objective for sweep in self.sweeps},
        }


def _can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _interval(found: Found) -> str:
    low, high = found.f1_interval
    return "" if np.isnan(low) else f" [{low:.4f}, {high:.4f}]"
