"""The evaluation that a training left in its folder."""

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
    """Read the evaluation in the folder of a training.

    Args:
        run_dir: `output_dir` of the training, which contains `evaluation`; it can have been moved.
        protocol: the protocol; another one than `cellseg` compares the label images anew.

    Raises:
        DatasetError: there is no evaluation, it cannot be read, or its label images are gone.
    """
    folder = Path(run_dir) / "evaluation"
    if not folder.is_dir():
        raise DatasetError(
            f"{run_dir}: no folder evaluation in it; evaluate the training first, with its bundle's evaluate.json and "
            f"--output_dir {run_dir}"
        )
    evaluation = read_results(folder, OWN)
    images = []
    for image in evaluation.images:
        moved = folder / "labels" / image.files.prediction.name
        images.append(replace(image, files=replace(image.files, prediction=moved)))
    gone = [path for image in images for path in (image.files.truth, image.files.prediction) if not path.is_file()]
    if gone:
        raise DatasetError(
            f"{run_dir}: {len(gone)} label image(s) that were compared are gone, such as {gone[0]}; evaluate the "
            "training again"
        )
    if protocol is OWN:
        return replace(evaluation, images=images)
    return replace(evaluate_pairs([image.files for image in images], protocol), about=evaluation.about)
