"""Scores of classes: of the cells that were found, and of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cellseg_monai.labels import UNKNOWN
from cellseg_monai.scores.counts import Counts
from cellseg_monai.scores.matching import match_objects
from cellseg_monai.scores.overlap import label_overlaps

__all__ = ["ClassCounts", "cell_class_counts", "image_class_counts"]

_FOUND_IOU = 0.5


@dataclass(frozen=True, eq=False)
class ClassCounts(Counts):
    """Counts of true and predicted classes in one image or many. Add counts to pool images.

    Without anything whose class is known, every score is 1. Classes that do not occur in the ground truth do not count
    towards balanced accuracy.

    Args:
        confusion: K×K numbers, with the true class along the rows and the predicted class along the columns; or an
            array of this shape for each of many images.

    >>> counts = ClassCounts(np.array([[8, 2], [1, 1]]))
    >>> counts.recalls.tolist(), counts.balanced_accuracy, counts.accuracy
    ([0.8, 0.5], 0.65, 0.75)
    """

    scores: ClassVar[tuple[str, ...]] = ("balanced_accuracy", "accuracy")

    confusion: np.ndarray

    @property
    def recalls(self) -> np.ndarray:
        """For each class, the fraction of its cells or images with the right class; NaN for a class without any."""
        return _fractions(self._right, self.confusion.sum(axis=-1))

    @property
    def precisions(self) -> np.ndarray:
        """For each class, the fraction of predictions of this class that are right; NaN if it is never predicted."""
        return _fractions(self._right, self.confusion.sum(axis=-2))

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes in the ground truth, each with the same weight however rare it is."""
        recalls = self.recalls
        present = np.isfinite(recalls)
        return self._or_one(np.where(present, recalls, 0).sum(axis=-1), present.sum(axis=-1))

    @property
    def accuracy(self) -> float:
        """Fraction of cells or images with the right class; high whenever one class is frequent."""
        return self._or_one(self._right.sum(axis=-1), self.confusion.sum(axis=(-2, -1)))

    @property
    def _right(self) -> np.ndarray:
        return np.diagonal(self.confusion, axis1=-2, axis2=-1)

    def _or_one(self, numerator: np.ndarray, denominator: np.ndarray) -> float:
        quotient = np.divide(numerator, denominator, out=np.ones(np.shape(denominator)), where=denominator > 0)
        return quotient if quotient.ndim else float(quotient)


def _fractions(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=denominator > 0)


def cell_class_counts(
    prediction: np.ndarray, truth: np.ndarray, classes: int, *, iou: float = _FOUND_IOU
) -> ClassCounts:
    """Count the classes of the cells that were found in one image.

    A cell was found if a predicted object reaches the IoU threshold; see `match_objects`. Missed cells, false objects
    and cells of unknown class do not count, because scores of objects already count the former.

    Args:
        prediction: 2×Y×X integers, the ids of the predicted objects and the numbers of their classes. An object has the
            same class at all its pixels.
        truth: 2×Y×X integers, the ids of the true objects and the numbers of their classes, `UNKNOWN` where unknown.
        classes: number of classes K.
        iou: IoU threshold.

    Raises:
        ValueError: an array does not have these axes, the shapes differ, or the ids are not those of a label image.

    >>> truth = np.array([[[7, 7, 0, 9, 4]], [[1, 1, -1, 0, -1]]])
    >>> prediction = np.array([[[1, 1, 0, 2, 3]], [[1, 1, -1, 1, 0]]])
    >>> cell_class_counts(prediction, truth, 2).confusion.tolist()
    [[0, 1], [0, 1]]
    """
    if prediction.ndim != 3 or len(prediction) != 2 or prediction.shape != truth.shape:
        raise ValueError(
            f"got a prediction of shape {prediction.shape} and ground truth of shape {truth.shape}, expected two equal "
            "shapes (2, Y, X): ids and class numbers; stack the label image and its classes"
        )
    overlaps = label_overlaps(prediction[0], truth[0])
    (matching,) = match_objects(overlaps, [iou])
    true = _class_of(overlaps.truth_ids[matching.truth_index], truth)
    predicted = _class_of(overlaps.prediction_ids[matching.prediction_index], prediction)
    return _confusion(true, predicted, classes)


def image_class_counts(predicted: int, true: int, classes: int) -> ClassCounts:
    """Count the class of one image.

    Args:
        predicted: number of the predicted class.
        true: number of the true class, `UNKNOWN` if it is unknown.
        classes: number of classes K.

    >>> image_class_counts(0, 1, 2).confusion.tolist()
    [[0, 0], [1, 0]]
    """
    return _confusion(np.array([true]), np.array([predicted]), classes)


def _class_of(ids: np.ndarray, classified: np.ndarray) -> np.ndarray:
    """Return the classes of objects, each read at one of its pixels."""
    present, places = np.unique(classified[0], return_index=True)
    return np.asarray(classified[1].ravel()[places[np.searchsorted(present, ids)]])


def _confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> ClassCounts:
    known = (true != UNKNOWN) & (predicted != UNKNOWN)
    pairs = true[known].astype(np.intp) * classes + predicted[known].astype(np.intp)
    return ClassCounts(np.bincount(pairs, minlength=classes * classes).reshape(classes, classes))
