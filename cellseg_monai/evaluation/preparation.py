"""Preparation of label images before a protocol compares them. Each function takes one pair and yields pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from cellseg_monai.boxes import squares
from cellseg_monai.labels import relabel_sequential

__all__ = ["Pair", "as_given", "dilated_against_pieces", "pieces_of_truth", "without_border_cells"]

Pair = tuple[np.ndarray, np.ndarray]
"""A prediction and a truth, both YX ids."""

# From the code of the CellSeg challenge (NeurIPS 2022).
_BORDER_PX = 2
_LARGE_PX = 25_000_000
_TILE_PX = 2000


def as_given(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the label images unchanged.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX.
    """
    yield prediction, truth


def pieces_of_truth(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the pair with every connected component of a true id as an object of its own (8-connectivity).

    This suits truths such as the masks of BBBC039, in which objects far apart share a value.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX, or any values that differ between touching objects.

    >>> next(pieces_of_truth(np.array([[9, 9, 9]]), np.array([[1, 0, 1]])))[1].tolist()
    [[1, 0, 2]]
    """
    from skimage.measure import label  # slow to import, and only this function needs it

    yield prediction, np.asarray(label(truth, background=0))


def dilated_against_pieces(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield `pieces_of_truth` with predictions dilated by 3 × 3 pixels; where two objects meet, the higher id wins.

    This suits networks that were trained to leave out the border of nuclei.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX, or any values that differ between touching objects.

    >>> next(dilated_against_pieces(np.array([[5, 0, 0, 0, 9, 0]]), np.zeros((1, 6), int)))[0].tolist()
    [[1, 1, 0, 2, 2, 2]]
    """
    # The filter works in float64, which cannot represent all large ids; relabelling keeps their order.
    grown = ndimage.maximum_filter(relabel_sequential(prediction), size=3, mode="constant", cval=0)
    yield from pieces_of_truth(np.asarray(grown), truth)


def without_border_cells(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the pair without objects within 2 pixels of the border; from 25 megapixels on, in tiles of 2000².

    Tiles are cut from the top left corner, and incomplete ones at the right and the bottom are filled with background.
    Objects at those borders of a large image are therefore kept, while an object on the border between two tiles is
    removed from both.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX, of the same shape.

    >>> labels = np.zeros((9, 9), int)
    >>> labels[1:4, 4], labels[2:7, 6] = 3, 8
    >>> np.unique(next(without_border_cells(labels, labels))[0]), np.unique(labels)
    (array([0, 2], dtype=int32), array([0, 3, 8]))
    """
    if truth.size < _LARGE_PX:
        yield _without_border(prediction), _without_border(truth)
        return
    for place in squares(truth.shape, _TILE_PX):
        yield _without_border(_tile(prediction[place])), _without_border(_tile(truth[place]))


def _tile(part: np.ndarray) -> np.ndarray:
    return np.pad(part, [(0, _TILE_PX - length) for length in part.shape])


def _without_border(labels: np.ndarray) -> np.ndarray:
    numbered = relabel_sequential(labels)
    touching: np.ndarray = np.zeros(int(numbered.max(initial=0)) + 1, bool)
    for strip in (numbered[:_BORDER_PX], numbered[-_BORDER_PX:], numbered[:, :_BORDER_PX], numbered[:, -_BORDER_PX:]):
        touching[strip] = True
    return np.where(touching[numbered], 0, numbered).astype(np.int32)
