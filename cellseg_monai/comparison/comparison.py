"""Bundles trained alike on one data set, and what came of each."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellseg_monai.comparison.child import ChildError
from cellseg_monai.comparison.figures import draw_losses, draw_scores, draw_thresholds
from cellseg_monai.comparison.panel import draw_panel
from cellseg_monai.comparison.progress import Progress
from cellseg_monai.comparison.request import Request, make_request
from cellseg_monai.comparison.result import Result, collect_result
from cellseg_monai.comparison.run_folder import RunFolder
from cellseg_monai.comparison.runs import Run, find_runs
from cellseg_monai.comparison.steps import STEP_NAMES, probe_step, run_steps
from cellseg_monai.comparison.tables import by_dice, shown_command, write_csv, write_markdown
from cellseg_monai.data import section_items
from cellseg_monai.errors import BundleError
from cellseg_monai.report.csv_table import read_table

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to.

    Args:
        output_dir: where tables and figures lie.
        results: of the runs that finished, the highest Dice first.
        failures: why the others did not, by their names.
    """

    output_dir: Path
    results: list[Result] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def compare(
    dataset_dir: str | Path,
    runs: str | Iterable[str],
    *,
    output_dir: str | Path,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    datalist: str | Path | None = None,
    knobs: Mapping[str, Any] | None = None,
    bundles_dir: str | Path = "bundles",
) -> Comparison:
    """Train runs within the same budget, evaluate them on the same test images, write tables and figures.

    Each run is trained, its threshold is calibrated on validation, and it is evaluated and segments the test images,
    each step in a process of its own, into `output_dir/<run>`. A run that fails does not stop the others. Called
    again, what is done is not done again.

    With `minutes`, each run first trains two epochs on trial. The duration of the second, its validation included,
    says how many epochs fit; as many are trained, with a learning-rate schedule of that length. So the time that
    training takes is as equal as epochs divide it, and is measured before, not cut off.

    Args:
        dataset_dir: the data set.
        runs: such as "unet,unet+two_classes", or a list of such names.
        output_dir: where to write; a folder in it for each run.
        epochs: of each training.
        minutes: of each training; exactly one of epochs and minutes.
        seed: of each training.
        datalist: the sections of the data set, if not its own.
        knobs: what else to override in each training, such as `{"batch_size": 4}`.
        bundles_dir: the folder of the bundles.

    Raises:
        BundleError: an unknown bundle, variant or knob, or `output_dir` holds runs of another request; all of them at
            once, before anything runs.
        DatasetError: the data set cannot be used.
        ValueError: the budget is none.
    """
    knobs = knobs or {}
    found = find_runs(runs, knobs, bundles_dir=bundles_dir)
    request = make_request(dataset_dir, epochs=epochs, minutes=minutes, seed=seed, datalist=datalist, knobs=knobs)
    output = Path(output_dir)
    folders = {run: RunFolder(output / run.name, request) for run in found}
    refusals = [refusal for folder in folders.values() if (refusal := folder.refusal())]
    if refusals:
        raise BundleError("\n".join(refusals))
    done = Comparison(output)
    with Progress([run.name for run in found], steps=len(STEP_NAMES) + (minutes is not None)) as progress:
        for run, folder in folders.items():
            progress.start_run(run.name)
            try:
                done.results.append(_finish(run, folder, progress))
            except ChildError as error:
                done.failures[run.name] = f"{progress.step} failed with {error}"
                progress.tell(f"{run.name}: {progress.step} failed with {error} (log: {folder.log})")
    done.results[:] = by_dice(done.results)
    if done.results:
        command = shown_command(request, [run.name for run in found], dataset_dir=dataset_dir, output_dir=output_dir)
        write_csv(output / "comparison.csv", done.results)
        write_markdown(output / "comparison.md", done.results, request, command=command, failures=done.failures)
        _draw(output, done.results, request)
    return done


def _finish(run: Run, folder: RunFolder, progress: Progress) -> Result:
    """The result of a run, from the folder where it has finished, else by doing what is left to do.

    Raises:
        ChildError: a step failed.
    """
    kept = folder.result()
    if kept is not None:
        return Result.from_json(kept)
    epochs = folder.epochs or _measure_epochs(run, folder, progress)
    steps = run_steps(run, folder.request, folder.path, epochs=epochs)
    folder.run(steps, announce=progress.start_step, tick=lambda: progress.show_epochs(folder.path, epochs))
    result = collect_result(run, folder.path, folder.measured())
    folder.keep_result(result.as_json())
    return result


def _measure_epochs(run: Run, folder: RunFolder, progress: Progress) -> int:
    """How many epochs fit into the minutes, by a training on trial."""
    assert folder.request.minutes is not None
    probe = folder.path / "probe"
    step = probe_step(run, folder.request, probe)
    folder.run([step], announce=progress.start_step, tick=lambda: progress.show_epochs(probe, 2))
    seconds = float(read_table(probe / "metrics.csv")[1]["seconds"])
    folder.epochs = epochs = max(1, math.floor(60 * folder.request.minutes / seconds))
    shutil.rmtree(probe)
    return epochs


def _draw(output: Path, results: list[Result], request: Request) -> None:
    folders = {result.run: output / result.run for result in results}
    curves = {run: read_table(folder / "metrics.csv") for run, folder in folders.items()}
    thresholds = {
        run: [row for row in read_table(folder / "calibration" / "curve.csv") if row["setting"] == "threshold"]
        for run, folder in folders.items()
    }
    draw_losses(output / "losses.png", curves)
    draw_thresholds(output / "thresholds.png", thresholds, {result.run: result.threshold for result in results})
    draw_scores(output / "scores.png", {result.run: result.scores["dice"] for result in results})
    items = section_items(request.dataset, "test", request.datalist, int(request.knobs.get("split_seed", 0)))
    draw_panel(
        output / "panel.png",
        items,
        {result.run: result.image_dice for result in results},
        {run: folder / "segmentation" for run, folder in folders.items()},
    )
