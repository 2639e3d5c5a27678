"""What protocols do to label images before they compare them. Each function is one way, from a pair to pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from cellseg_monai.boxes import squares
from cellseg_monai.labels import relabel_sequential

__all__ = ["Pair", "as_given", "dilated_against_pieces", "pieces_of_truth", "without_border_cells"]

Pair = tuple[np.ndarray, np.ndarray]
"""A prediction and a truth."""

# Of the code of the CellSeg challenge.
_BORDER_PX = 2
_LARGE_PX = 25_000_000
_TILE_PX = 2000


def as_given(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """The label images themselves."""
    yield prediction, truth


def pieces_of_truth(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Every connected piece of a true id is an object of its own; pixels that touch by a corner are connected.

    For truths such as the masks of BBBC039, in which objects far apart share a value.

    Args:
        prediction: YX ids.
        truth: YX ids, or values in which objects that touch differ.

    >>> next(pieces_of_truth(np.array([[9, 9, 9]]), np.array([[1, 0, 1]])))[1].tolist()
    [[1, 0, 2]]
    """
    from skimage.measure import label  # slow to import, and only this function needs it

    yield prediction, np.asarray(label(truth, background=0))


def dilated_against_pieces(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """`pieces_of_truth`, and predictions grown by a pixel on all sides and corners; where two meet, the higher id wins.

    For networks that were trained to leave out the border of nuclei.

    Args:
        prediction: YX ids.
        truth: YX ids, or values in which objects that touch differ.

    >>> next(dilated_against_pieces(np.array([[5, 0, 0, 0, 9, 0]]), np.zeros((1, 6), int)))[0].tolist()
    [[1, 1, 0, 2, 2, 2]]
    """
    # Numbered anew, in the same order: the filter works in float64, which does not tell all large ids apart.
    grown = ndimage.maximum_filter(relabel_sequential(prediction), size=3, mode="constant", cval=0)
    yield from pieces_of_truth(np.asarray(grown), truth)


def without_border_cells(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Both without objects that come within 2 pixels of the border; from 25 megapixels on in tiles of 2000².

    Tiles are cut from the top left corner; what they lack at the right and the bottom is filled with background, so
    that an object at that border of a large image stays, while one cut by the border between two tiles is gone from
    both.

    Args:
        prediction: YX ids.
        truth: YX ids of the same shape.

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
