"""Comparing folders or pairs of label images under a protocol, and reporting every file that cannot be compared."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellseg_monai.data.lint import MOST_CLASSES, check_labels
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation.evaluated import EvaluatedImage, Evaluation
from cellseg_monai.evaluation.pairs import FilePair, label_files, pair_files
from cellseg_monai.evaluation.protocol import Protocol
from cellseg_monai.faults import Fault
from cellseg_monai.io import read_labels
from cellseg_monai.one_line import lines

__all__ = ["evaluate_folders", "evaluate_pairs", "mask_warnings"]


def evaluate_folders(
    truth_dir: str | Path,
    prediction_dir: str | Path,
    protocol: Protocol,
    *,
    truth_suffix: str = "",
    prediction_suffix: str = "",
) -> Evaluation:
    """Compare the label images in two folders.

    Args:
        truth_dir: folder with the true label images.
        prediction_dir: folder with the predicted label images, named like the true ones; see `pair_files`.
        protocol: protocol for the comparison.
        truth_suffix: use only true label images whose file name ends with this, ignoring the extension.
        prediction_suffix: use only predicted label images whose file name ends with this, ignoring the extension.

    Returns:
        The evaluation, with images sorted by name.

    Raises:
        DatasetError: a folder does not exist or contains no label images, or no pair can be compared. In the latter
            case, the message lists the reasons.
    """
    if os.path.realpath(truth_dir) == os.path.realpath(prediction_dir) and truth_suffix == prediction_suffix:
        raise DatasetError(
            f"{truth_dir}: ground truth and predictions are the same files; pass two folders, or select the files with "
            "--truth_suffix and --pred_suffix"
        )
    pairs, faults = pair_files(label_files(truth_dir, truth_suffix), label_files(prediction_dir, prediction_suffix))
    return evaluate_pairs(pairs, protocol, faults)


def evaluate_pairs(pairs: Iterable[FilePair], protocol: Protocol, faults: Sequence[Fault] = ()) -> Evaluation:
    """Compare pairs of label images.

    Args:
        pairs: the true and predicted label image of each image.
        protocol: protocol for the comparison.
        faults: faults from an earlier stage, placed before the faults found here.

    Returns:
        The evaluation, with images in the order of the pairs.

    Raises:
        DatasetError: no pair can be compared; the message lists the reasons.
    """
    images, warnings, all_faults = [], [], list(faults)
    for pair in pairs:
        try:
            if os.path.samefile(pair.prediction, pair.truth):
                raise ValueError("both are the same file; pass the predictions of a program")
            prediction, truth = read_labels(pair.prediction), read_labels(pair.truth)
            counts = protocol.count(prediction, truth)
        except (ValueError, OSError) as error:
            compared = f"{pair.truth.as_posix()} and {pair.prediction.as_posix()}"
            all_faults.append(Fault(pair.name, "not-compared", f"{compared}: {error}"))
        else:
            images.append(EvaluatedImage(pair, counts))
            warnings += mask_warnings(pair.truth, truth, counts.true_objects)
            warnings += mask_warnings(pair.prediction, prediction, counts.predicted_objects)
    if not images:
        head = "no prediction can be compared with its ground truth; fix these problems:"
        raise DatasetError(lines(head, *all_faults))
    return Evaluation(protocol, images, all_faults, warnings)


def mask_warnings(path: Path, labels: np.ndarray, compared: int) -> list[Fault]:
    """Return a warning if a label image looks like a mask, unless its objects were separated.

    Args:
        path: the file, for the message.
        labels: YX ids, 0 is background.
        compared: number of objects that were compared.
    """
    # Masks have few ids. If there are many, the slow check of all pixels is unnecessary.
    if compared > MOST_CLASSES or compared > np.count_nonzero(np.unique(labels)):
        return []
    faults = check_labels(labels, path.as_posix())
    return [replace(fault, severity="warning") for fault in faults if fault.kind in ("binary-mask", "class-mask")]
