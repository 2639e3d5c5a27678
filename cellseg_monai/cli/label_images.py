"""The commands about label images from any program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import check_folder, fail_if

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
    """Score the label images of any program under a published protocol; docs/evaluation.md describes each.

    Truths and predictions are paired by their names, without what programs add, such as _cp_masks or -labels. If files
    have no partner or pairs cannot be compared, they are named, the rest is evaluated, and the exit code is 1.

    Args:
        truth: the folder of the true label images: tif, png, npy, _seg.npy.
        pred: the folder of the predicted label images.
        protocol: cellseg, caicedo2019, bbbc039_mean_f1, dsb2018, neurips22, stardist, cellpose_ap, ctc_seg or coco.
        output: a folder for a row per image (CSV), a summary with 95 % intervals (JSON) and F1 over IoU (PNG).
        truth_suffix: take only truths whose name, without extension, ends with this.
        pred_suffix: take only predictions whose name, without extension, ends with this, such as _cp_masks if the
            images are in the same folder.
    """
    from cellseg_monai.evaluation import format_results, summary, write_results

    if output is not None:
        check_folder(output)
    done = _compared(truth, pred, protocol, truth_suffix, pred_suffix)
    print(format_results(summary(done)))
    if output is not None:
        for path in write_results(done, output):
            print(path)
    _warn(done)
    fail_if(done.faults)


def report(
    *,
    images: str,
    truth: str,
    pred: str,
    output: str,
    run: str | None = None,
    protocol: str = "bbbc039_mean_f1",
    overlays: int = 24,
    truth_suffix: str = "",
    pred_suffix: str = "",
) -> None:
    """Write one HTML page that shows how good label images are: scores, and every kind of mistake over the images.

    The page is one file and needs no network connection. Images, truths and predictions are paired by their names, as
    in `cellseg evaluate`. If something cannot be compared or shown it is named, the rest is reported, and the exit code
    is 1.

    Args:
        images: the folder of the images.
        truth: the folder of the true label images.
        pred: the folder of the predicted label images.
        output: the page, such as report.html; its numbers are written next to it as JSON.
        run: the output_dir of a training, for its losses and the settings that calibration tried.
        protocol: how objects are compared, see `cellseg evaluate`.
        overlays: number of the worst images that are shown; three typical and three best ones are added.
        truth_suffix: take only truths whose name, without extension, ends with this.
        pred_suffix: take only predictions whose name, without extension, ends with this, such as _cp_masks if the
            images are in the same folder.
    """
    from cellseg_monai.evaluation import format_results, summary
    from cellseg_monai.report import write_report
    from cellseg_monai.report.label_report import check_report

    check_report(images, output, run_dir=run, overlays=overlays)
    done = _compared(truth, pred, protocol, truth_suffix, pred_suffix)
    written = write_report(done, images, output, run_dir=run, overlays=overlays)
    print(format_results(summary(done)))
    for note in written.notes:
        print(f"note: {note}")
    for path in (written.page, written.numbers):
        print(path)
    _warn(done)
    fail_if(written.faults)


def _warn(done: Evaluation) -> None:
    for warning in done.warnings:
        print(warning, file=sys.stderr)


def _compared(truth: str, pred: str, protocol: str, truth_suffix: str, pred_suffix: str) -> Evaluation:
    from cellseg_monai.evaluation import evaluate_folders, find_protocol

    return evaluate_folders(
        truth, pred, find_protocol(protocol), truth_suffix=truth_suffix, prediction_suffix=pred_suffix
    )
