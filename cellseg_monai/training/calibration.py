"""Calibration: fitting the post-processing settings to a trained network on annotated images."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from cellseg_monai.atomic import leftovers, replacing
from cellseg_monai.data.content_digest import items_digest
from cellseg_monai.decoding import Maps, Postprocessing
from cellseg_monai.errors import CheckpointError, DatasetError
from cellseg_monai.evaluation.folders import mask_warnings
from cellseg_monai.faults import Fault
from cellseg_monai.one_line import one_line
from cellseg_monai.scores.search import Found, Sweep, Trial, check_sweeps, search_postprocessing
from cellseg_monai.spreadsheets import writing_table

__all__ = ["Calibration"]

logger = logging.getLogger(__name__)

_MAPS = ".maps_"
_OF_A_CALIBRATION = re.compile(re.escape(_MAPS) + "[a-z0-9_]{8}")  # as `tempfile` completes the name


class _ImagesOnDisk(Sequence[tuple[Maps, np.ndarray]]):
    """A sequence of (maps, true label image) pairs, memory-mapped from disk so that they need not all fit in memory."""

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
    """A handler that searches for the best post-processing settings and saves them for evaluation and inference.

    The network processes each image once. The handler keeps the resulting maps on disk, and every trial of the search
    turns them into objects exactly as inference does. Besides the settings, the handler writes two files:

    - `calibration/curve.csv`: the scores of every trial.
    - `calibration/calibration.json`: the settings, their score with its interval, the score of the starting settings,
      the datalist section, and the SHA-256 of the images and labels.

    The engine must yield `maps` at the network's scale and `label` as the true label image.

    Args:
        target: file for the settings, such as `fitted_settings(checkpoint)`.
        output_dir: the run folder.
        settings: the settings to start from. Settings that no sweep covers keep these values.
        search: the sweeps, in order. Each is a mapping with the arguments of `scores.search.Sweep`.
        section: the datalist section that the images come from, recorded in `calibration.json`.
        about: further facts for `calibration.json`, such as how images were brought to size, as plain data.
        rounds: maximum number of rounds. One round runs every sweep once.

    Raises:
        ValueError: a sweep names an unknown setting or objective, has no values, or has an invalid value.
    """

    def __init__(
        self,
        target: str | PathLike[str],
        output_dir: str,
        settings: Postprocessing,
        search: Sequence[dict],
        *,
        section: str = "validation",
        about: Mapping[str, object] | None = None,
        rounds: int = 2,
    ) -> None:
        self.target = Path(target)
        self.folder = Path(output_dir) / "calibration"
        self.settings = settings
        self.sweeps = [Sweep(**sweep) for sweep in search]
        check_sweeps(settings, self.sweeps)
        self.section = section
        self.about = dict(about or {})
        self.rounds = rounds

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        evaluator.add_event_handler(Events.STARTED, self._start)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        evaluator.add_event_handler(Events.COMPLETED, self._search)

    def _start(self) -> None:
        # Fail now rather than after minutes of work.
        if not _is_writable(self.target.parent):
            raise CheckpointError(
                f"cannot write the fitted settings to {self.target}; copy the weights to a writable folder and pass "
                "`--checkpoint PATH`, or use `--calibrated PATH` to choose another settings file"
            )
        if not _is_writable(self.folder):
            raise CheckpointError(
                f"cannot write the search results to {self.folder}; use `--output_dir PATH` to choose a writable folder"
            )
        self._remove_leftovers()
        self.folder.mkdir(parents=True, exist_ok=True)
        # A TemporaryDirectory is deleted together with this handler, even if the run fails. It lies with the results,
        # because the system's temporary folder may be small.
        self._cache = tempfile.TemporaryDirectory(prefix=_MAPS, dir=self.folder)
        self._images = _ImagesOnDisk(Path(self._cache.name))
        self._items: list[dict[str, str]] = []
        self._objects = 0

    def _remove_leftovers(self) -> None:
        """Remove what a calibration that was killed has left in the same folders."""
        for path in (self.target, self.folder / "curve.csv", self.folder / "calibration.json"):
            for file in leftovers(path):
                file.unlink(missing_ok=True)
        for maps in self.folder.glob(f"{_MAPS}*"):
            if _OF_A_CALIBRATION.fullmatch(maps.name):
                shutil.rmtree(maps, ignore_errors=True)

    def _keep(self, evaluator: Engine) -> None:
        for item, result in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            labels = result["label"].numpy(force=True)[0]
            self._check(Path(item["label_path"]), labels)
            self._images.append(result["maps"], labels)
            self._items.append({"image": str(item["image_path"]), "label": str(item["label_path"])})

    def _check(self, path: Path, labels: np.ndarray) -> None:
        """Count the true objects, and warn of a label image that has none, or that looks like a mask."""
        objects = int(np.count_nonzero(np.unique(labels)))
        self._objects += objects
        if not objects:
            message = "every object that is found in this image counts as wrong"
            logger.warning(one_line(Fault(path.as_posix(), "no-objects", message, "warning")))
        for fault in mask_warnings(path, labels, objects):
            logger.warning(one_line(fault))

    def _search(self) -> None:
        if not self._objects:
            self._cache.cleanup()
            raise DatasetError(
                f"got {len(self._items)} label image(s) without any object, expected ids from 1; pass label images of "
                "the cells"
            )
        logger.info(f"searching for the best settings on {len(self._images)} images")
        outcome = search_postprocessing(self._images, self.settings, self.sweeps, rounds=self.rounds)
        with writing_table(self.folder / "curve.csv", [field.name for field in dataclasses.fields(Trial)]) as table:
            for trial in outcome.trials:
                table.write(dataclasses.asdict(trial).values())
        with replacing(self.folder / "calibration.json") as aside:
            aside.write_text(json.dumps(self._report(outcome), indent=2) + "\n", encoding="utf-8")
        outcome.settings.to_json(self.target)
        self._cache.cleanup()
        settings = outcome.settings.to_mapping()
        chosen = {sweep.setting: settings[sweep.setting] for sweep in self.sweeps}
        logger.info("best settings: " + ", ".join(f"{name} {value}" for name, value in chosen.items()))
        logger.info(f"mean F1 {outcome.f1:.4f}{_interval(outcome)}; with the starting settings {outcome.f1_before:.4f}")
        logger.info(f"F1 at IoU 0.5: {outcome.f1_50:.4f}, mean Dice {outcome.dice:.4f}")
        logger.info("the settings were fitted to these images, so other images may score lower")
        logger.info(f"wrote the settings to {self.target} and the trials to {self.folder}")

    def _report(self, outcome: Found) -> dict[str, object]:
        return {
            "settings": outcome.settings.to_mapping(),
            "f1": outcome.f1,
            "f1_interval": None if np.isnan(outcome.f1_interval[0]) else list(outcome.f1_interval),
            "f1_50": outcome.f1_50,
            "dice": outcome.dice,
            "f1_before": outcome.f1_before,
            "section": self.section,
            **self.about,
            "images": len(self._items),
            "sha256": items_digest(self._items),
            "objectives": {sweep.setting: sweep.objective for sweep in self.sweeps},
        }


def _is_writable(folder: Path) -> bool:
    """Return True if the folder is writable or, where it does not exist yet, its nearest existing parent is."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _interval(outcome: Found) -> str:
    low, high = outcome.f1_interval
    return "" if np.isnan(low) else f" [{low:.4f}, {high:.4f}]"
