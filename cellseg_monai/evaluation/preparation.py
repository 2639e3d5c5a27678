"""Functions that prepare label images before a protocol compares them. Each takes one pair and yields pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from cellseg_monai.boxes import squares
from cellseg_monai.labels import relabel_sequential

__all__ = ["Pair", "as_given", "dilated_against_pieces", "pieces_of_truth", "without_border_cells"]

Pair = tuple[np.ndarray, np.ndarray]
"""A prediction and its ground truth, both as YX ids."""

# From the code of the CellSeg challenge (NeurIPS 2022).
_BORDER_PX = 2
_LARGE_PX = 25_000_000
_TILE_PX = 2000


def as_given(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the pair unchanged.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX.
    """
    yield prediction, truth


def pieces_of_truth(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the pair with every connected component of a true id as a separate object (8-connectivity).

    Use this for ground truth like the BBBC039 masks, in which objects that do not touch can share a value.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX, or any values that differ between touching objects.

    >>> next(pieces_of_truth(np.array([[9, 9, 9]]), np.array([[1, 0, 1]])))[1].tolist()
    [[1, 0, 2]]
    """
    from skimage.measure import label  # imported here because it is slow and only needed in this function

    yield prediction, np.asarray(label(truth, background=0))


def dilated_against_pieces(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the pair of `pieces_of_truth` with predicted objects dilated by a 3 × 3 square.

    Where two dilated objects meet, the higher id wins. Use this for networks trained to leave out the border of nuclei.

    Args:
        prediction: predicted ids, YX.
        truth: true ids, YX, or any values that differ between touching objects.

    >>> next(dilated_against_pieces(np.array([[5, 0, 0, 0, 9, 0]]), np.zeros((1, 6), int)))[0].tolist()
    [[1, 1, 0, 2, 2, 2]]
    """
    # The filter works in float64, which cannot represent every large id. Relabelling keeps the order of ids.
    grown = ndimage.maximum_filter(relabel_sequential(prediction), size=3, mode="constant", cval=0)
    yield from pieces_of_truth(np.asarray(grown), truth)


def without_border_cells(prediction: np.ndarray, truth: np.ndarray) -> Iterator[Pair]:
    """Yield the pair without objects within 2 pixels of the border, cut into tiles if it has at least 25 megapixels.

    Tiles of 2000 × 2000 pixels start at the top left corner. Incomplete tiles at the right and the bottom are padded
    with background, so objects at these two borders of a large image are kept. An object that crosses the border
    between tiles is removed from all of them.

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
