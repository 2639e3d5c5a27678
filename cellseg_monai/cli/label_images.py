"""The commands `cellseg evaluate` and `cellseg report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import fail_if
from cellseg_monai.cli.outputs import check_apart, check_folder, check_new, check_page
from cellseg_monai.cli.printing import print_error, print_line, print_lines

if TYPE_CHECKING:
    from cellseg_monai.evaluation import Evaluation

__all__ = ["evaluate", "report"]


def evaluate(
    *,
    truth: str,
    pred: str,
    protocol: str,
    output: str | None = None,
    truth_suffix: str = "",
    pred_suffix: str = "",
) -> None:
    """Score label images from any program under a named protocol; docs/evaluation.md explains the protocols.

    Ground truth and predictions are paired by name, ignoring suffixes that programs append, such as _cp_masks or
    -labels. If a file has no partner or a pair cannot be compared, this is reported, the rest is evaluated, and the
    exit code is 1.

    Args:
        truth: folder with true label images: tif, png, npy or _seg.npy.
        pred: folder with predicted label images.
        protocol: cellseg, caicedo2019, bbbc039_mean_f1, dsb2018, neurips22, stardist, cellpose_ap, ctc_seg or coco.
        output: folder for a table with one row per image (CSV), a summary with 95 % intervals (JSON) and a plot of F1
            against IoU (PNG). It can hold other protocols, but files of an earlier evaluation are not replaced.
        truth_suffix: use only true label images whose file stem ends with this suffix.
        pred_suffix: use only predictions whose file stem ends with this suffix, such as _cp_masks if the folder also
            contains the images.
    """
    from cellseg_monai.evaluation import find_protocol, format_results, result_files, summary, write_results

    if output is not None:
        check_folder(output)
        check_apart(output, truths=truth, predictions=pred)
        check_new(result_files(output, find_protocol(protocol)))
    evaluation = _evaluated(truth, pred, protocol, truth_suffix, pred_suffix)
    print_lines(format_results(summary(evaluation)))
    if output is not None:
        for path in write_results(evaluation, output):
            print_line(path)
    _warn(evaluation)
    fail_if(evaluation.faults)


def report(
    run: str | None = None,
    *,
    output: str,
    images: str | None = None,
    truth: str | None = None,
    pred: str | None = None,
    protocol: str | None = None,
    overlays: int = 24,
    truth_suffix: str = "",
    pred_suffix: str = "",
) -> None:
    """Write an HTML page that shows how good a segmentation is: scores, and every kind of mistake outlined on images.

    For a training run that has been evaluated, pass its folder: cellseg report runs/mine --output report.html. For
    label images from any program, pass --images, --truth and --pred; files are paired by name, as in `cellseg
    evaluate`. The page needs no network connection and no other files. If something cannot be compared or shown, it is
    reported, the page shows the rest, and the exit code is 1.

    Args:
        run: output_dir of a training run. The page shows its evaluation, its losses and the settings that calibration
            tried; with --truth and --pred, it shows only the losses and settings of the run.
        output: HTML file to write, such as report.html; the numbers are written to a JSON file next to it. An earlier
            report of that name is replaced.
        images: folder with the images; not needed for a training run, which records the paths of its images.
        truth: folder with true label images.
        pred: folder with predicted label images.
        protocol: protocol for comparing objects, see `cellseg evaluate`; by default cellseg for a training run, and
            bbbc039_mean_f1 otherwise.
        overlays: number of images to show, worst first; three typical images and the three best are added.
        truth_suffix: use only true label images whose file stem ends with this suffix.
        pred_suffix: use only predictions whose file stem ends with this suffix, such as _cp_masks if the folder also
            contains the images.
    """
    from cellseg_monai.evaluation import find_protocol, format_results, read_training, summary
    from cellseg_monai.report import write_report
    from cellseg_monai.report.label_report import check_report

    check_page(Path(output), numbers="worst_first")
    if run is not None and truth is None and pred is None:
        check_report(images, output, run_dir=run, overlays=overlays)
        evaluation = read_training(run, find_protocol(protocol or "cellseg"))
    elif images is not None and truth is not None and pred is not None:
        check_report(images, output, run_dir=run, overlays=overlays)
        evaluation = _evaluated(truth, pred, protocol or "bbbc039_mean_f1", truth_suffix, pred_suffix)
    else:
        folders = {"--images": images, "--truth": truth, "--pred": pred}
        missing = ", ".join(flag for flag, folder in folders.items() if folder is None)
        raise ValueError(
            f"missing {missing}; `cellseg report` needs --images, --truth and --pred, or the folder of a training run"
        )
    written = write_report(evaluation, images, output, run_dir=run, overlays=overlays)
    print_lines(format_results(summary(evaluation)))
    for note in written.notes:
        print_line(f"note: {note}")
    for path in (written.page, written.numbers):
        print_line(path)
    _warn(evaluation)
    fail_if(written.faults)


def _warn(evaluation: Evaluation) -> None:
    for warning in evaluation.warnings:
        print_error(warning)


def _evaluated(truth: str, pred: str, protocol: str, truth_suffix: str, pred_suffix: str) -> Evaluation:
    from cellseg_monai.evaluation import evaluate_folders, find_protocol

    return evaluate_folders(
        truth, pred, find_protocol(protocol), truth_suffix=truth_suffix, prediction_suffix=pred_suffix
    )
