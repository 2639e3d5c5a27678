"""Checkpoints: `model.pt`, the best network, and `last.pt`, all that a run needs to go on."""

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
from cellseg_monai.training.checkpoint_file import (
    BEST,
    LAST,
    fitted_settings,
    load_into,
    read_checkpoint,
    save_checkpoint,
)
from cellseg_monai.training.checkpoint_metadata import make_record, stamped_state
from cellseg_monai.training.distributed import is_writer, wait_for_all

__all__ = ["Checkpoint"]

logger = logging.getLogger(__name__)

_WEIGHTS = (BEST, LAST)
_OF_A_RUN = (*_WEIGHTS, *(fitted_settings(name).name for name in _WEIGHTS), "metrics.csv", "calibration", "evaluation")


def move_earlier_run_aside(output_dir: str | PathLike[str]) -> None:
    """Move what an earlier run left in `output_dir` into a folder `earlier_<time>` there; nothing is overwritten."""
    folder = Path(output_dir)
    earlier = [folder / name for name in _OF_A_RUN if (folder / name).exists()]
    if not earlier:
        return
    names = (f"{time.strftime('earlier_%Y%m%d_%H%M%S')}_{number}" for number in itertools.count(1))
    aside = next(folder / name for name in names if not (folder / name).exists())
    aside.mkdir()
    for path in earlier:
        path.rename(aside / path.name)
    logger.info(f"an earlier run is moved to {aside}; `--resume True` would have continued it")


class Checkpoint:
    """Saves the best network and the whole state after each epoch; goes on from there when asked to.

    When the training starts, an earlier run in `output_dir` is continued (`resume`) or moved aside, never overwritten.

    Args:
        output_dir: where `model.pt` and `last.pt` go; made when missing.
        network: the network; wrapped in `DistributedDataParallel` or not.
        optimizer: its optimiser.
        lr_scheduler: the schedule of the learning rate.
        evaluator: the validating engine, whose best score decides.
        record: what both checkpoints say of themselves, so that evaluation and inference need no more than the file:
            bundle, variants, how images are prepared; see `make_record`.
        settings: what else a resumed run must share with the one it continues, such as the learning rate.
        resume: continue from `last.pt` in `output_dir`, where there is one.
    """

    def __init__(
        self,
        output_dir: str,
        network: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_scheduler: Any,
        evaluator: Engine,
        record: Mapping[str, Any],
        settings: Mapping[str, Any],
        resume: bool = False,
    ) -> None:
        self.folder = Path(output_dir)
        self.network = network.module if isinstance(network, DistributedDataParallel) else network
        self.evaluator = evaluator
        self.resume = resume
        self.record = make_record(self.network, record)
        self.settings = dict(settings)
        self._stateful = {"optimizer": optimizer, "lr_scheduler": lr_scheduler}

    def attach(self, trainer: Engine) -> None:
        """Start listening to the trainer; must come after the handlers whose state it saves."""
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _save(self, trainer: Engine) -> None:
        if is_writer():
            # The best first: killed in between, the epoch is repeated and ends the same; the other way round
            # the best network would be lost.
            if self.evaluator.state.best_metric_epoch == trainer.state.epoch:
                # What was fitted to the weights that are replaced does not belong to the new ones.
                fitted_settings(self.folder / BEST).unlink(missing_ok=True)
                save_checkpoint(stamped_state(self.network, self.record), self.folder / BEST)
            fitted_settings(self.folder / LAST).unlink(missing_ok=True)
            save_checkpoint(self._state(trainer), self.folder / LAST)
        wait_for_all()

    def _state(self, trainer: Engine) -> dict[str, Any]:
        return {
            "network": stamped_state(self.network, self.record),
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
        # The number of iterations stands for the data set, which has no short name of its own.
        settings = {**self.record, **self.settings, "iterations an epoch": trainer.state.epoch_length}
        # Through JSON, so that a tuple off the command line equals a list out of the config.
        return json.loads(json.dumps(settings))

    def _start(self, trainer: Engine) -> None:
        path = self.folder / LAST
        if is_writer():
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in [*leftovers(self.folder / BEST), *leftovers(path)]:
                leftover.unlink()
            if self.resume and not path.exists():
                logger.warning(f"nothing to resume in {self.folder}: starting at the first epoch")
            if not (self.resume and path.exists()):
                move_earlier_run_aside(self.folder)
        wait_for_all()
        if self.resume and path.exists():
            self._resume(trainer, path)

    def _resume(self, trainer: Engine, path: Path) -> None:
        state = read_checkpoint(path)
        if "settings" not in state:
            raise CheckpointError(f"{path} holds weights alone, not a run; a run's {LAST} is needed to resume")
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


def _check_settings(now: dict[str, Any], earlier: dict[str, Any], path: Path) -> None:
    differing = [
        f"{name} was {earlier.get(name)!r}, now {now.get(name)!r}"
        for name in {**earlier, **now}
        if earlier.get(name) != now.get(name)
    ]
    if differing:
        raise CheckpointError(
            f"{path} is of a run with other settings: {'; '.join(differing)}; resume with the same, or start anew "
            "with another --output_dir"
        )


def _random_state() -> dict[str, Any]:
    version, numbers, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global state is what is to be saved
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
