"""Overlaps between the objects of two label images, from which all instance scores are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from cellseg_monai.labels.relabel import numbered

__all__ = ["LabelOverlaps", "check_label_images", "label_overlaps"]

_BLOCK_PIXELS = 2**18  # number of pixels processed together
_HELD_RUNS = 2**22  # number of runs held before those of the same pair are summed


@dataclass(frozen=True, eq=False)
class LabelOverlaps:
    """The objects of a true and a predicted label image, and the pairs of objects that share pixels.

    The background, id 0, is not an object and is in no pair. An object's area includes its pixels on the other image's
    background.

    Args:
        truth_ids: ids of all true objects, increasing.
        truth_areas: number of pixels of each true object.
        prediction_ids: ids of all predicted objects, increasing.
        prediction_areas: number of pixels of each predicted object.
        truth_index: position in `truth_ids` of the true object of each pair. Pairs are sorted by `truth_index`, then by
            `prediction_index`.
        prediction_index: position in `prediction_ids` of the predicted object of each pair.
        pixels: number of pixels that the two objects of each pair share, at least 1.
    """

    truth_ids: np.ndarray
    truth_areas: np.ndarray
    prediction_ids: np.ndarray
    prediction_areas: np.ndarray
    truth_index: np.ndarray
    prediction_index: np.ndarray
    pixels: np.ndarray

    @cached_property
    def unions(self) -> np.ndarray:
        """The number of pixels in the union of each pair."""
        return self.truth_areas[self.truth_index] + self.prediction_areas[self.prediction_index] - self.pixels

    @cached_property
    def iou(self) -> np.ndarray:
        """The intersection over union of each pair; float64, so that 3 / 5 equals 0.6."""
        return self.pixels / self.unions

    @cached_property
    def share_of_truth(self) -> np.ndarray:
        """The share of the true object that the predicted object covers, for each pair."""
        return self.pixels / self.truth_areas[self.truth_index]

    @cached_property
    def share_of_prediction(self) -> np.ndarray:
        """The share of the predicted object that lies in the true object, for each pair."""
        return self.pixels / self.prediction_areas[self.prediction_index]


def check_label_images(prediction: np.ndarray, truth: np.ndarray) -> None:
    """Refuse arrays that are not two label images of the same size.

    Args:
        prediction: array of any shape and dtype.
        truth: array of any shape and dtype.

    Raises:
        ValueError: a dtype is not integer, an id is negative, or shapes differ.
    """
    for name, labels in (("prediction", prediction), ("truth", truth)):
        if labels.dtype.kind not in "iu":
            raise ValueError(
                f"got a {name} of dtype {labels.dtype}, expected a label image of integer ids; "
                "turn probabilities or a mask into objects first, with label_objects"
            )
        if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
            raise ValueError(
                f"got id {labels.min()} in the {name}, expected ids from 0, the background; renumber them, "
                "or set pixels to ignore to 0 in both images"
            )
    if prediction.shape != truth.shape:
        raise ValueError(
            f"got prediction {prediction.shape} and truth {truth.shape}, expected equal shapes; "
            "bring the prediction back to the size of the original image"
        )


def label_overlaps(prediction: np.ndarray, truth: np.ndarray) -> LabelOverlaps:
    """Find the pairs of predicted and true objects that overlap, in one pass over the pixels.

    Label images are constant along most of a row, so pixels are first gathered into runs of the same pair, and only
    runs are sorted. The table of pairs is sparse; a dense one would need 13 GB for 40,000 objects.

    Args:
        prediction: ids of any integer dtype, YX or any shape, 0 is background. Ids can have gaps and be large.
        truth: ids of any integer dtype, with the shape of the prediction.

    Raises:
        ValueError: a dtype is not integer, an id is negative, or shapes differ.

    >>> overlaps = label_overlaps(np.array([[7, 7, 7, 900, 0]]), np.array([[0, 3, 3, 3, 0]]))
    >>> overlaps.prediction_ids, overlaps.prediction_areas
    (array([  7, 900]), array([3, 1]))
    >>> overlaps.prediction_ids[overlaps.prediction_index], overlaps.pixels, overlaps.iou
    (array([  7, 900]), array([2, 1]), array([0.5       , 0.33333333]))
    """
    check_label_images(prediction, truth)
    held: list[tuple[np.ndarray, ...]] = []
    held_runs, limit = 0, _HELD_RUNS
    for block in _runs(truth, prediction):
        held.append(block)
        held_runs += len(block[0])
        if held_runs > limit:  # happens only for noisy images, and bounds the memory
            table = _Table.of(held)
            held = [(table.truth_ids[table.rows], table.prediction_ids[table.columns], table.pixels)]
            held_runs = len(table.pixels)
            limit = max(_HELD_RUNS, 2 * held_runs)
    return _Table.of(held).without_background()


def _runs(truth: np.ndarray, prediction: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, block by block, the true id, the predicted id and the length of each run in which neither changes."""
    # Axes of length 1 are dropped, so that the first axis can be divided into blocks.
    shape = [length for length in truth.shape if length != 1] or [1]
    truth, prediction = truth.reshape(shape), prediction.reshape(shape)
    step = max(1, _BLOCK_PIXELS * shape[0] // max(1, truth.size))
    for start in range(0, shape[0], step):
        # Flattened, so that a run can continue in the next row, which does not change any sum.
        first, second = (labels[start : start + step].ravel() for labels in (truth, prediction))
        if not first.size:
            continue
        begins: np.ndarray = np.empty(first.size, bool)
        begins[0] = True
        np.not_equal(first[1:], first[:-1], out=begins[1:])
        begins[1:] |= second[1:] != second[:-1]
        starts = np.flatnonzero(begins)
        yield first[starts], second[starts], np.diff(starts, append=first.size)


@dataclass(frozen=True, eq=False)
class _Table:
    """A contingency table with background: the ids of both images, and the number of pixels of each pair."""

    truth_ids: np.ndarray
    prediction_ids: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of(cls, runs: list[tuple[np.ndarray, ...]]) -> _Table:
        if not runs:
            return cls(*(np.zeros(0, np.int64) for _ in range(5)))
        truth, prediction, lengths = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        truth_ids, rows = numbered(truth)
        prediction_ids, columns = numbered(prediction)
        # The conversion to CSR sums duplicate entries, which is faster than sorting pairs.
        shape = (len(truth_ids), len(prediction_ids))
        summed = sparse.coo_matrix((lengths, (rows, columns)), shape=shape).tocsr()
        rows = np.repeat(np.arange(len(truth_ids)), np.diff(summed.indptr))
        return cls(truth_ids, prediction_ids, rows, summed.indices.astype(np.intp), summed.data)

    def without_background(self) -> LabelOverlaps:
        sides: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for ids, index in ((self.truth_ids, self.rows), (self.prediction_ids, self.columns)):
            # bincount sums in float64, which is exact up to 2**53 pixels.
            areas = np.bincount(index, self.pixels, minlength=len(ids)).astype(np.int64)
            first = int(len(ids) > 0 and ids[0] == 0)
            sides.append((ids[first:], areas[first:], index - first))
        (truth_ids, truth_areas, rows), (prediction_ids, prediction_areas, columns) = sides
        kept = (rows >= 0) & (columns >= 0)
        return LabelOverlaps(
            truth_ids=truth_ids,
            truth_areas=truth_areas,
            prediction_ids=prediction_ids,
            prediction_areas=prediction_areas,
            truth_index=rows[kept],
            prediction_index=columns[kept],
            pixels=self.pixels[kept],
        )
