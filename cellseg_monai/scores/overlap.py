"""Overlaps between the objects in two label images, from which all instance scores are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from cellseg_monai.labels.relabel import numbered

__all__ = ["LabelOverlaps", "check_label_images", "label_overlaps"]

_BLOCK_PIXELS = 2**18  # number of pixels processed together
_HELD_RUNS = 2**22  # number of runs kept in memory before runs of the same pair are summed


@dataclass(frozen=True, eq=False)
class LabelOverlaps:
    """The objects in a true and a predicted label image, and the pairs of objects that share pixels.

    The background (id 0) is not an object and belongs to no pair. An object's area includes pixels that are background
    in the other image.

    Args:
        truth_ids: ids of all true objects, in increasing order.
        truth_areas: number of pixels in each true object.
        prediction_ids: ids of all predicted objects, in increasing order.
        prediction_areas: number of pixels in each predicted object.
        truth_index: position of each pair's true object in `truth_ids`. Pairs are sorted by `truth_index`, then by
            `prediction_index`.
        prediction_index: position of each pair's predicted object in `prediction_ids`.
        pixels: number of pixels shared by each pair, at least 1.
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
        """Number of pixels in the union of each pair."""
        return self.truth_areas[self.truth_index] + self.prediction_areas[self.prediction_index] - self.pixels

    @cached_property
    def iou(self) -> np.ndarray:
        """Intersection over union of each pair, as float64, so that 3 / 5 equals the literal 0.6."""
        return self.pixels / self.unions

    @cached_property
    def share_of_truth(self) -> np.ndarray:
        """Fraction of each pair's true object that the predicted object covers."""
        return self.pixels / self.truth_areas[self.truth_index]

    @cached_property
    def share_of_prediction(self) -> np.ndarray:
        """Fraction of each pair's predicted object that lies in the true object."""
        return self.pixels / self.prediction_areas[self.prediction_index]


def check_label_images(prediction: np.ndarray, truth: np.ndarray) -> None:
    """Check that two arrays are label images of the same shape.

    Args:
        prediction: predicted label image.
        truth: true label image.

    Raises:
        ValueError: a dtype is not an integer type, an id is negative, or the shapes differ.
    """
    for name, labels in (("prediction", prediction), ("true label image", truth)):
        if labels.dtype.kind not in "iu":
            raise ValueError(
                f"got a {name} of dtype {labels.dtype}, expected integer ids; use label_objects to turn probabilities "
                "into labels first"
            )
        if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
            raise ValueError(
                f"got id {labels.min()} in the {name}, expected non-negative ids; renumber the objects, "
                "or set pixels to be ignored to 0 in both images"
            )
    if prediction.shape != truth.shape:
        raise ValueError(
            f"got a prediction of shape {prediction.shape} and a true label image of shape {truth.shape}, expected "
            "equal shapes; resize the prediction to the shape of the true label image"
        )


def label_overlaps(prediction: np.ndarray, truth: np.ndarray) -> LabelOverlaps:
    """Find all pairs of predicted and true objects that overlap, in one pass over the pixels.

    Most neighbouring pixels in a row have the same ids, so pixels are first grouped into runs, and only runs are
    sorted. The table of pairs is sparse; a dense one would need 13 GB for 40,000 objects.

    Args:
        prediction: predicted ids of any integer dtype and any shape, such as YX; 0 is background. Ids can be large and
            have gaps.
        truth: true ids of any integer dtype, with the same shape as the prediction.

    Raises:
        ValueError: a dtype is not an integer type, an id is negative, or the shapes differ.

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
        if held_runs > limit:  # limits memory use; only noisy images get here
            table = _Table.of(held)
            held = [(table.truth_ids[table.rows], table.prediction_ids[table.columns], table.pixels)]
            held_runs = len(table.pixels)
            limit = max(_HELD_RUNS, 2 * held_runs)
    return _Table.of(held).without_background()


def _runs(truth: np.ndarray, prediction: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the true id, the predicted id and the length of each run of pixels with constant ids, block by block."""
    # Drop axes of length 1, so that the first axis can be divided into blocks.
    shape = [length for length in truth.shape if length != 1] or [1]
    truth, prediction = truth.reshape(shape), prediction.reshape(shape)
    step = max(1, _BLOCK_PIXELS * shape[0] // max(1, truth.size))
    for start in range(0, shape[0], step):
        # After flattening, a run can continue in the next row, which does not change any sum.
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
    """A contingency table that includes the background: the ids in both images and the pixel count of each pair."""

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
        # Converting to CSR sums duplicate entries, which is faster than sorting pairs.
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
