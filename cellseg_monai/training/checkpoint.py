"""Saving and resuming a run: `model.pt` holds the best network, `last.pt` everything needed to continue the run.

`model.pt` is written before `last.pt`, which also records the best score so far. A run that is killed at any moment
repeats at most one epoch and never loses the best network.

A resumed run must have the same settings as the run that it continues. `Checkpoint` compares the settings that the
recipe passes to it (epochs, batch size, learning rate and so on) and the number of iterations per epoch, and names any
that differ. It does not compare deeper overrides, such as `--loss#lambda_dice`.

Nothing in the output folder changes until training starts. An earlier run is moved aside only after the data, the
network and the optimiser have been built, so a command that fails early changes nothing.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel

from cellseg_monai.atomic import leftovers
from cellseg_monai.errors import CheckpointError
from cellseg_monai.training.average import WeightAverage
from cellseg_monai.training.checkpoint_file import (
    BEST,
    LAST,
    fitted_settings,
    load_into,
    read_checkpoint,
    save_checkpoint,
)
from cellseg_monai.training.checkpoint_metadata import make_metadata, state_with_metadata
from cellseg_monai.training.distributed import is_writer, wait_for_all

__all__ = ["Checkpoint"]

logger = logging.getLogger(__name__)

_WEIGHTS = (BEST, LAST)
_RUN_FILES = (
    *_WEIGHTS,
    *(fitted_settings(name).name for name in _WEIGHTS),
    "metrics.csv",
    "calibration",
    "evaluation",
    "encoder.safetensors",
)


def move_earlier_run_aside(output_dir: str | PathLike[str]) -> None:
    """Move the files of an earlier run into a new subfolder `earlier_<time>_<number>`, so that none is overwritten."""
    folder = Path(output_dir)
    earlier = [folder / name for name in _RUN_FILES if (folder / name).exists()]
    if not earlier:
        return
    names = (f"{time.strftime('earlier_%Y%m%d_%H%M%S')}_{number}" for number in itertools.count(1))
    aside = next(folder / name for name in names if not (folder / name).exists())
    aside.mkdir()
    for path in earlier:
        path.rename(aside / path.name)
    logger.info(f"moved the earlier run to {aside}; to continue a run instead, pass `--resume True`")


class Checkpoint:
    """A handler that saves the best network and, after each epoch, the whole state of the run.

    If `output_dir` already contains a run when training starts, the handler resumes that run or moves it aside,
    depending on `resume`. An earlier run is never overwritten.

    Args:
        output_dir: folder for `model.pt` and `last.pt`, created if missing.
        network: the network to save, with or without a `DistributedDataParallel` wrapper.
        optimizer: the optimiser.
        lr_scheduler: the learning-rate scheduler.
        evaluator: the validation engine. Its key metric decides which network is the best.
        metadata: description of the network, such as its bundle, its variants and the preparation of its images. It is
            stored in both checkpoints, so evaluation and inference need no other file; see `make_metadata`.
        settings: further settings that a resumed run must share with the run that it continues, such as the learning
            rate.
        resume: True to continue from `last.pt` in `output_dir`, if that file exists.
        average: what makes `network` the average of the network in training; it is attached to the same trainer.
    """

    def __init__(
        self,
        output_dir: str,
        network: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_scheduler: Any,
        evaluator: Engine,
        metadata: Mapping[str, Any],
        settings: Mapping[str, Any],
        resume: bool = False,
        average: WeightAverage | None = None,
    ) -> None:
        self.folder = Path(output_dir)
        self.network = network.module if isinstance(network, DistributedDataParallel) else network
        self.evaluator = evaluator
        self.resume = resume
        self.metadata = make_metadata(self.network, metadata)
        self.settings = dict(settings)
        self._stateful = {"optimizer": optimizer, "lr_scheduler": lr_scheduler}
        self.average = average
        if average is not None:
            self._stateful["average"] = average

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after every handler whose state it saves."""
        if self.average is not None:  # not in the list of handlers, where MONAI expects no references
            self.average.attach(trainer)
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _save(self, trainer: Engine) -> None:
        if is_writer():
            # Save the best network first. A run that is killed between the two files then repeats the epoch with the
            # same result. In the opposite order, it would lose the best network.
            if self.evaluator.state.best_metric_epoch == trainer.state.epoch:
                # Settings fitted to the old weights do not suit the new ones.
                fitted_settings(self.folder / BEST).unlink(missing_ok=True)
                save_checkpoint(state_with_metadata(self.network, self.metadata), self.folder / BEST)
            fitted_settings(self.folder / LAST).unlink(missing_ok=True)
            save_checkpoint(self._state(trainer), self.folder / LAST)
        wait_for_all()

    def _state(self, trainer: Engine) -> dict[str, Any]:
        return {
            "network": state_with_metadata(self.network, self.metadata),
            "epoch": trainer.state.epoch,
            "settings": self._settings(trainer),
            "history": trainer.state.history,
            "best_metric": self.evaluator.state.best_metric,
            "best_metric_epoch": self.evaluator.state.best_metric_epoch,
            "validated_epoch": self.evaluator.state.epoch,
            "random": _random_state(),
            **{name: part.state_dict() for name, part in self._stateful.items()},
        }

    def _settings(self, trainer: Engine) -> dict[str, Any]:
        # The number of iterations stands in for the data set, which has no short identifier.
        settings = {**self.metadata, **self.settings, "iterations an epoch": trainer.state.epoch_length}
        # The round trip through JSON makes a tuple from the command line equal to a list from the config.
        return json.loads(json.dumps(settings))

    def _start(self, trainer: Engine) -> None:
        path = self.folder / LAST
        if is_writer():
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in [*leftovers(self.folder / BEST), *leftovers(path)]:
                leftover.unlink()
            if self.resume and not path.exists():
                logger.warning(f"cannot resume: no {LAST} in {self.folder}; starting from the first epoch")
            if not (self.resume and path.exists()):
                move_earlier_run_aside(self.folder)
        wait_for_all()
        if self.resume and path.exists():
            self._resume(trainer, path)

    def _resume(self, trainer: Engine, path: Path) -> None:
        state = read_checkpoint(path)
        if "settings" not in state:
            raise CheckpointError(
                f"cannot resume from {path}, which contains only weights; pass an --output_dir with the {LAST} of a run"
            )
        _check_settings(self._settings(trainer), state["settings"], path)
        load_into(self.network, state, path)
        for name, part in self._stateful.items():
            part.load_state_dict(state[name])
        trainer.state.epoch = state["epoch"]
        trainer.state.iteration = state["epoch"] * trainer.state.epoch_length
        trainer.state.history = state["history"]
        self.evaluator.state.best_metric = state["best_metric"]
        self.evaluator.state.best_metric_epoch = state["best_metric_epoch"]
        self.evaluator.state.epoch = state["validated_epoch"]
        _restore_random_state(state["random"])
        if is_writer():
            best = f"; best score {state['best_metric']:.4f}" if state["best_metric_epoch"] > 0 else ""
            logger.info(f"resumed from {path} after epoch {state['epoch']}{best}")


def _check_settings(current: dict[str, Any], earlier: dict[str, Any], path: Path) -> None:
    differences = [
        f"{name} was {earlier.get(name)!r}, now {current.get(name)!r}"
        for name in {**earlier, **current}
        if earlier.get(name) != current.get(name)
    ]
    if differences:
        raise CheckpointError(
            f"cannot resume from {path}, because the settings differ: {'; '.join(differences)}; resume with the "
            "earlier settings, or start a new run with another --output_dir"
        )


def _random_state() -> dict[str, Any]:
    version, numbers, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - training draws from the global state
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def _restore_random_state(state: dict[str, Any]) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
