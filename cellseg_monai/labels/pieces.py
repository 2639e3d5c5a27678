"""Connected pieces of the foreground, worked through some at a time, so that memory does not grow with the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

__all__ = ["depth", "piece_groups"]

Box = tuple[slice, slice]

# So many are worked on at once.
_BOX_PIXELS = 2**22


def piece_groups(pieces: np.ndarray, wanted: np.ndarray, margin: int = 0) -> Iterator[tuple[Box, np.ndarray]]:
    """Boxes that hold some whole pieces each, and together every wanted piece once.

    Pieces numbered row by row follow each other downwards, so that a box is some rows of a large image, or the whole
    of a small one. It is larger only where a single piece is.

    Args:
        pieces: YX int32, 0 is background.
        wanted: bool, one for each number in `pieces` from 0 on; that of the background does not count.
        margin: pixels around the pieces that a box has as well, as far as the image goes.

    Yields:
        The place of a box; bool of its shape, where its pieces are.

    >>> pieces = np.array([[1, 1, 0, 2], [0, 0, 0, 2], [3, 0, 0, 0]])
    >>> for box, inside in piece_groups(pieces, np.array([0, 1, 0, 1], bool)):
    ...     print(inside.astype(int))
    [[1 1]
     [0 0]
     [1 0]]
    """
    numbers: np.ndarray = np.flatnonzero(wanted[1:]) + 1
    places = ndimage.find_objects(pieces) if len(numbers) else []
    begun: list[int] = []
    box = (slice(0), slice(0))
    for number in numbers.tolist():
        place = places[number - 1]
        wider = _around(box, place) if begun else place
        if begun and _area(wider) > _BOX_PIXELS:
            yield _cut(pieces, wanted, box, margin, begun)
            begun, wider = [], place
        begun.append(number)
        box = wider
    if begun:
        yield _cut(pieces, wanted, box, margin, begun)


def _around(one: Box, other: Box) -> Box:
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return rows, columns


def _area(box: Box) -> int:
    return (box[0].stop - box[0].start) * (box[1].stop - box[1].start)


def _cut(pieces: np.ndarray, wanted: np.ndarray, box: Box, margin: int, numbers: list[int]) -> tuple[Box, np.ndarray]:
    rows, columns = (slice(max(side.start - margin, 0), side.stop + margin) for side in box)
    crop = pieces[rows, columns]
    return (rows, columns), wanted[crop] & (crop >= numbers[0]) & (crop <= numbers[-1])


def depth(mask: np.ndarray) -> np.ndarray:
    """The Euclidean distance to the nearest pixel of the background.

    As `scipy.ndimage.distance_transform_edt` gives it, piece by piece: that holds 40 bytes a pixel. What lies beyond
    the border of the image is no background; without any background, the depth is 1 everywhere.

    Args:
        mask: YX bool, the foreground.

    Returns:
        YX float32, 0 on the background.

    >>> depth(np.array([[0, 1, 1, 1]], bool))
    array([[0., 1., 2., 3.]], dtype=float32)
    """
    pieces, count = ndimage.label(mask)
    depths: np.ndarray = np.zeros(mask.shape, np.float32)
    # Pieces are apart by background, so what is nearest to one lies around it, and others may count as background.
    for box, inside in piece_groups(pieces, np.ones(count + 1, bool), margin=1):
        depths[box][inside] = 1 if inside.all() else ndimage.distance_transform_edt(inside)[inside]
    return depths
