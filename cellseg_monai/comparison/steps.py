"""The steps of a run, each of which is an ordinary `python -m monai.bundle` command."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.bundle.literal import literal
from cellseg_monai.comparison.request import Request
from cellseg_monai.comparison.runs import Run

__all__ = ["STEP_NAMES", "Step", "probe_step", "run_steps"]

STEP_NAMES = ("training", "calibrating", "evaluating", "segmenting")

# Knobs that later steps need too: how and where the network runs, and which images are in which section. They read
# everything else from the checkpoint.
_KNOBS_OF_ALL = ("amp", "device", "num_workers", "split_seed", "sw_batch_size")


@dataclass(frozen=True)
class Step:
    """A command that runs as a separate process.

    Args:
        name: name of the step, such as "training".
        command: the command and its arguments.
    """

    name: str
    command: tuple[str, ...]


def probe_step(run: Run, request: Request, folder: Path) -> Step:
    """Return the step that trains two trial epochs; the second shows how long an epoch takes after warming up.

    Args:
        run: the run to train.
        request: the request of the comparison.
        folder: folder to write to.
    """
    return _training("probing", run, request, folder, epochs=2)


def run_steps(run: Run, request: Request, folder: Path, *, epochs: int) -> list[Step]:
    """Return the steps of a run: training, calibration, evaluation and segmentation of the test images.

    Args:
        run: the run.
        request: the request of the comparison.
        folder: folder to write to.
        epochs: number of epochs to train.
    """
    rest = {"checkpoint": literal(folder / "model.pt"), **_shared(request, folder)}
    rest |= {name: value for name, value in request.knobs.items() if name in _KNOBS_OF_ALL}
    configs = run.folder / "configs"
    return [
        _training("training", run, request, folder, epochs=epochs),
        Step("calibrating", _command("calibrating", configs / "calibrate.json", rest)),
        Step("evaluating", _command("evaluating", configs / "evaluate.json", {**rest, "section": "test"})),
        Step("segmenting", _command("segmenting", configs / "inference.json", {**rest, "section": "test"})),
    ]


def _training(name: str, run: Run, request: Request, folder: Path, *, epochs: int) -> Step:
    files = [str(path) for path in run.config_files]
    options = {**_shared(request, folder), "epochs": epochs, "resume": True, **request.knobs}
    return Step(name, _command("training", files if len(files) > 1 else files[0], options))


def _shared(request: Request, folder: Path) -> dict[str, Any]:
    datalist = {} if request.datalist is None else {"datalist": literal(request.datalist)}
    paths = {"dataset_dir": literal(request.dataset), "output_dir": literal(folder.absolute()), **datalist}
    return {**paths, "seed": request.seed}


def _command(run_id: str, config_file: Any, options: Mapping[str, Any]) -> tuple[str, ...]:
    words = [f"--{name}={value}" for name, value in {"config_file": config_file, **options}.items()]
    return (sys.executable, "-m", "monai.bundle", "run", run_id, *words)
