"""Evaluations stored in training-run folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation.evaluated import Evaluation
from cellseg_monai.evaluation.folders import evaluate_pairs
from cellseg_monai.evaluation.protocol import Protocol
from cellseg_monai.evaluation.protocols import OWN
from cellseg_monai.evaluation.results import read_results

__all__ = ["read_training"]


def read_training(run_dir: str | Path, protocol: Protocol = OWN) -> Evaluation:
    """Read the evaluation in a training-run folder.

    The folder can have been moved since the evaluation.

    Args:
        run_dir: `output_dir` of the training run, with the subfolder `evaluation`.
        protocol: the protocol. For any protocol other than `cellseg`, the label images are compared again.

    Raises:
        DatasetError: there is no evaluation, it cannot be read, or its label images no longer exist.
    """
    folder = Path(run_dir) / "evaluation"
    if not folder.is_dir():
        raise DatasetError(
            f"{run_dir}: no subfolder named evaluation; first evaluate the run, with its bundle's evaluate.json "
            f"and --output_dir {run_dir}"
        )
    evaluation = read_results(folder, OWN)
    images = []
    for image in evaluation.images:
        moved = folder / "labels" / image.files.prediction.name
        images.append(replace(image, files=replace(image.files, prediction=moved)))
    gone = [path for image in images for path in (image.files.truth, image.files.prediction) if not path.is_file()]
    if gone:
        raise DatasetError(
            f"{run_dir}: {len(gone)} label image(s) of the evaluation no longer exist, for example {gone[0]}; repeat "
            "the evaluation"
        )
    if protocol is OWN:
        return replace(evaluation, images=images)
    return replace(evaluate_pairs([image.files for image in images], protocol), about=evaluation.about)
