"""Which objects of two label images share pixels, and how many: all that scores of instances are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from cellseg_monai.labels.relabel import numbered

__all__ = ["LabelOverlaps", "check_label_images", "label_overlaps"]

_BLOCK_PIXELS = 2**18  # so many pixels are looked at together
_HELD_RUNS = 2**22  # so many runs are kept before those of the same pair are summed


@dataclass(frozen=True, eq=False)
class LabelOverlaps:
    """The objects of a true and a predicted label image, and the pairs of them that share pixels.

    Background, id 0, is no object and in no pair; its pixels still count in the areas of what lies on it.

    Args:
        truth_ids: of every true object, increasing.
        truth_areas: pixels of each.
        prediction_ids: of every predicted object, increasing.
        prediction_areas: pixels of each.
        truth_index: one for each overlapping pair: the position of its true object in `truth_ids`. Pairs are in
            the order of `truth_index`, then of `prediction_index`.
        prediction_index: the position of its predicted object in `prediction_ids`.
        pixels: how many the two share, at least 1.
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
        """Of each pair, the pixels that lie in either."""
        return self.truth_areas[self.truth_index] + self.prediction_areas[self.prediction_index] - self.pixels

    @cached_property
    def iou(self) -> np.ndarray:
        """Of each pair, intersection over union; float64, so that 3 / 5 equals 0.6."""
        return self.pixels / self.unions

    @cached_property
    def share_of_truth(self) -> np.ndarray:
        """Of each pair, the part of the true object that the prediction covers."""
        return self.pixels / self.truth_areas[self.truth_index]

    @cached_property
    def share_of_prediction(self) -> np.ndarray:
        """Of each pair, the part of the predicted object that lies in the true one."""
        return self.pixels / self.prediction_areas[self.prediction_index]


def check_label_images(prediction: np.ndarray, truth: np.ndarray) -> None:
    """Refuse what are no two label images of the same place.

    Args:
        prediction: of any shape and dtype.
        truth: the same.

    Raises:
        ValueError: a dtype is not integer, an id is negative, or shapes differ.
    """
    for name, labels in (("prediction", prediction), ("truth", truth)):
        if labels.dtype.kind not in "iu":
            raise ValueError(
                f"{name} of dtype {labels.dtype} came, but a label image of integer ids was expected; "
                "turn probabilities or a mask into objects first, with label_objects"
            )
        if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
            raise ValueError(
                f"id {labels.min()} came in the {name}, but ids from 0, the background, were expected; renumber them, "
                "or set pixels to be ignored to 0 in both images"
            )
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction {prediction.shape} and truth {truth.shape} came, but equal shapes were expected; "
            "bring the prediction back to the image's own frame"
        )


def label_overlaps(prediction: np.ndarray, truth: np.ndarray) -> LabelOverlaps:
    """Which predicted objects overlap which true ones, in one pass over the pixels.

    Label images are constant along most of a row, so pixels are first gathered into runs of the same pair, and only
    runs are sorted. What is held is sparse: with objects² entries, 40,000 objects would need 13 GB.

    Args:
        prediction: ids of any integer dtype, YX or any shape, 0 is background. Ids may have gaps and be large.
        truth: the same shape.

    Raises:
        ValueError: a dtype is not integer, an id is negative, or shapes differ.

    >>> found = label_overlaps(np.array([[7, 7, 7, 900, 0]]), np.array([[0, 3, 3, 3, 0]]))
    >>> found.prediction_ids, found.prediction_areas
    (array([  7, 900]), array([3, 1]))
    >>> found.prediction_ids[found.prediction_index], found.pixels, found.iou
    (array([  7, 900]), array([2, 1]), array([0.5       , 0.33333333]))
    """
    check_label_images(prediction, truth)
    held: list[tuple[np.ndarray, ...]] = []
    runs, most = 0, _HELD_RUNS
    for run in _runs(truth, prediction):
        held.append(run)
        runs += len(run[0])
        if runs > most:  # only where images are noisy: keeps memory bounded
            table = _Table.of(held)
            held = [(table.truth_ids[table.rows], table.prediction_ids[table.columns], table.pixels)]
            runs = len(table.pixels)
            most = max(_HELD_RUNS, 2 * runs)
    return _Table.of(held).without_background()


def _runs(truth: np.ndarray, prediction: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The true id, the predicted id and the length of each stretch along the rows where neither changes."""
    # Without axes of length 1, the first axis is one that can be cut into blocks.
    shape = [length for length in truth.shape if length != 1] or [1]
    truth, prediction = truth.reshape(shape), prediction.reshape(shape)
    step = max(1, _BLOCK_PIXELS * shape[0] // max(1, truth.size))
    for start in range(0, shape[0], step):
        # Flat: a run may go on in the next row, which changes no sum.
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
    """A contingency table with background: ids of both sides, and the pixels of each pair that occurs."""

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
        # Duplicate entries are summed on the way to rows: faster than sorting their keys.
        shape = (len(truth_ids), len(prediction_ids))
        summed = sparse.coo_matrix((lengths, (rows, columns)), shape=shape).tocsr()
        rows = np.repeat(np.arange(len(truth_ids)), np.diff(summed.indptr))
        return cls(truth_ids, prediction_ids, rows, summed.indices.astype(np.intp), summed.data)

    def without_background(self) -> LabelOverlaps:
        sides: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for ids, index in ((self.truth_ids, self.rows), (self.prediction_ids, self.columns)):
            # bincount sums in float64, exact up to 2**53 pixels.
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
