"""Folders of label images compared under a protocol: what can be compared is, and the rest is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cellseg_monai.data.lint import MOST_CLASSES, check_labels
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation.pairs import FilePair, label_files, pair_files
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol
from cellseg_monai.faults import Fault
from cellseg_monai.io import read_labels

__all__ = ["EvaluatedImage", "Evaluation", "evaluate_folders"]


@dataclass(frozen=True)
class EvaluatedImage:
    """An image that was compared.

    Args:
        files: its truth and prediction.
        counts: what the protocol counted.
    """

    files: FilePair
    counts: ImageCounts


@dataclass(frozen=True)
class Evaluation:
    """Folders compared under a protocol.

    Args:
        protocol: which.
        images: those that were compared, sorted by name; one at least.
        faults: every file or pair that was not, and why.
        warnings: of those that were compared, label images that look like masks of what is cell and what is not.
    """

    protocol: Protocol
    images: Sequence[EvaluatedImage]
    faults: Sequence[Fault]
    warnings: Sequence[Fault] = ()

    @property
    def counts(self) -> list[ImageCounts]:
        """What was counted of each image."""
        return [image.counts for image in self.images]


def evaluate_folders(
    truth_dir: str | Path,
    prediction_dir: str | Path,
    protocol: Protocol,
    *,
    truth_suffix: str = "",
    prediction_suffix: str = "",
) -> Evaluation:
    """Compare the label images of two folders.

    Args:
        truth_dir: the true ones.
        prediction_dir: the predicted ones, named as their truths, see `pair_files`.
        protocol: how.
        truth_suffix: only files of the first folder whose name, without extension, ends so.
        prediction_suffix: the same of the second folder.

    Raises:
        DatasetError: no such folder, no label images in it, or not a single pair that can be compared; then the
            message lists why.
    """
    if Path(truth_dir).resolve() == Path(prediction_dir).resolve() and truth_suffix == prediction_suffix:
        raise DatasetError(
            f"{truth_dir}: truths and predictions are the same files; pass two folders, or tell them apart by "
            "--truth_suffix and --pred_suffix"
        )
    pairs, faults = pair_files(label_files(truth_dir, truth_suffix), label_files(prediction_dir, prediction_suffix))
    images, warnings = [], []
    for pair in pairs:
        try:
            prediction, truth = read_labels(pair.prediction), read_labels(pair.truth)
            counts = protocol.count(prediction, truth)
        except (ValueError, OSError) as error:
            compared = f"{pair.truth.as_posix()} and {pair.prediction.as_posix()}"
            faults.append(Fault(pair.name, "not-compared", f"{compared}: {error}"))
        else:
            images.append(EvaluatedImage(pair, counts))
            warnings += _masks(pair.truth, truth, counts.true_objects)
            warnings += _masks(pair.prediction, prediction, counts.predicted_objects)
    if not images:
        listed = "\n".join(map(str, faults))
        raise DatasetError(f"no truth in {truth_dir} can be compared to a prediction in {prediction_dir}:\n{listed}")
    return Evaluation(protocol, images, faults, warnings)


def _masks(path: Path, labels: np.ndarray, compared: int) -> list[Fault]:
    """A warning where a label image seems to be a mask, and the protocol did not tell its objects apart."""
    # Of so few objects at most, and only then is a look at all pixels worth its time.
    if compared > MOST_CLASSES or compared > np.count_nonzero(np.unique(labels)):
        return []
    found = check_labels(labels, path.as_posix())
    return [replace(fault, severity="warning") for fault in found if fault.kind in ("binary-mask", "class-mask")]
