"""Training several bundles under equal conditions on one data set, and comparing the results."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellseg_monai.bundle import code_digest, is_shipped
from cellseg_monai.comparison.child import ChildError
from cellseg_monai.comparison.figures import draw_losses, draw_scores, draw_thresholds
from cellseg_monai.comparison.panel import draw_panel
from cellseg_monai.comparison.progress import Progress
from cellseg_monai.comparison.request import Request, make_request
from cellseg_monai.comparison.result import Result, collect_result
from cellseg_monai.comparison.runs import Run, find_runs
from cellseg_monai.comparison.steps import STEP_NAMES, probe_step, run_steps
from cellseg_monai.comparison.tables import FIGURES, HEADING, by_dice, shown_command, write_csv, write_markdown
from cellseg_monai.comparison.training_folder import TrainingFolder
from cellseg_monai.data import section_items
from cellseg_monai.errors import BundleError
from cellseg_monai.one_line import lines
from cellseg_monai.spreadsheets import read_table
from cellseg_monai.text_file import read_text

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    Args:
        output_dir: folder with the tables and figures.
        results: results of the runs that finished, highest Dice first.
        failures: reason for each failure, by the name of the run.
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
    bundles_dir: str | Path | None = None,
) -> Comparison:
    """Train bundles with the same budget, evaluate them on the same test images, and write tables and figures.

    A run trains a bundle, calibrates its post-processing on the validation images, evaluates it on the test images, and
    segments the test images. Each step is a separate process that writes to `output_dir/<run>`. If a run fails, the
    others continue. Call this function again to resume: completed steps are not repeated.

    With `minutes`, each run starts with a trial of two epochs. The duration of the second epoch, including validation,
    determines how many epochs fit into the budget. The run then trains for that many epochs, with a learning-rate
    schedule of that length. Training times are therefore equal to within an epoch, and no schedule is cut short.

    Args:
        dataset_dir: the data set folder.
        runs: names of the runs, such as "unet,unet+two_classes", or a list of names. The bundle can also be the path of
            a folder, such as "./mine+two_classes".
        output_dir: folder to write to, with a subfolder for each run.
        epochs: number of training epochs per run.
        minutes: training time per run in minutes; pass exactly one of `epochs` and `minutes`.
        seed: random seed for every run.
        datalist: datalist that replaces the data set's own sections; None to use the data set's own.
        knobs: further training settings to override in every run, such as `{"batch_size": 4}`.
        bundles_dir: folder that contains the named bundles; None for the bundles that ship with this package.

    Returns:
        The results and the failures.

    Raises:
        BundleError: a bundle, variant or knob is unknown, or `output_dir` contains runs with other settings. The
            message lists every problem, and no run has started.
        FileExistsError: `output_dir` contains a file with the name of a result, but no earlier comparison.
        DatasetError: the data set cannot be used.
        ValueError: the budget is invalid.
    """
    knobs = knobs or {}
    chosen = find_runs(runs, knobs, bundles_dir=bundles_dir)
    request = make_request(dataset_dir, epochs=epochs, minutes=minutes, seed=seed, datalist=datalist, knobs=knobs)
    output = Path(output_dir)
    folders = {run: TrainingFolder(output / run.name, request, code_sha256=code_digest(run.folder)) for run in chosen}
    refusals = [refusal for folder in folders.values() if (refusal := folder.refusal())]
    if refusals:
        raise BundleError(lines(*refusals))
    _check_files(output)
    comparison = Comparison(output)
    with Progress([run.name for run in chosen], steps=len(STEP_NAMES) + (minutes is not None)) as progress:
        for run, folder in folders.items():
            progress.start_run(run.name)
            try:
                comparison.results.append(_finish(run, folder, progress))
            except ChildError as error:
                comparison.failures[run.name] = f"{progress.step} failed with {error}"
                progress.write(f"{run.name}: {progress.step} failed with {error} (log: {folder.log})")
    comparison.results[:] = by_dice(comparison.results)
    if comparison.results:
        names = [run.name if is_shipped(run.folder) else f"./{run.name}" for run in chosen]
        command = shown_command(request, names, dataset_dir=dataset_dir, output_dir=output_dir)
        write_csv(output / "comparison.csv", comparison.results)
        write_markdown(
            output / "comparison.md", comparison.results, request, command=command, failures=comparison.failures
        )
        _draw(output, comparison.results, request)
    return comparison


def _check_files(output: Path) -> None:
    """Refuse to replace files that are not from a comparison."""
    page = output / "comparison.md"
    with suppress(OSError, ValueError):
        if read_text(page).startswith(HEADING):
            return
    for file in (output / "comparison.csv", page, *(output / name for name in FIGURES)):
        if file.exists():
            raise FileExistsError(
                f"{file} already exists and is not from a comparison; choose another --output, or move the file"
            )


def _finish(run: Run, folder: TrainingFolder, progress: Progress) -> Result:
    """Run the remaining steps of a run, and return its result.

    Raises:
        ChildError: a step failed.
    """
    earlier = folder.result()
    if earlier is not None:
        result = Result.from_json(earlier)
        if result.run != run.name:  # the name of its folder
            raise BundleError(f"{folder.path} holds the result of the run {result.run!r}; pass another --output")
        return result
    epochs = folder.epochs or _measure_epochs(run, folder, progress)
    steps = run_steps(run, folder.request, folder.path, epochs=epochs)
    folder.run(steps, announce=progress.start_step, tick=lambda: progress.show_epochs(folder.path, epochs))
    result = collect_result(run, folder.path, folder.usage())
    folder.keep_result(result.as_json())
    return result


def _measure_epochs(run: Run, folder: TrainingFolder, progress: Progress) -> int:
    """Train two trial epochs, and return how many epochs fit into the budget of minutes."""
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
