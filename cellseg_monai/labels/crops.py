"""Objects of a label image of any size, in crops that hold them whole.

What is measured, traced or written of objects goes through here, so that a label image on disk (a zarr array, a memory
map) is worked through as one in memory is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from math import isqrt

import numpy as np

from cellseg_monai.boxes import Box, Run, SlicedArray
from cellseg_monai.labels.relabel import id_runs, numbered

__all__ = [
    "Crop",
    "ObjectBoxes",
    "crop_of",
    "crops_of_whole_objects",
    "groups_of_objects",
    "object_boxes",
    "tiles",
]

BLOCK_PX = 2**24


@dataclass(frozen=True, eq=False)
class ObjectBoxes:
    """The boxes around objects, in the order of their ids.

    Args:
        ids: of the objects, increasing.
        top: the first row of each.
        left: the first column.
        bottom: the row after the last one.
        right: the column after the last one.
    """

    ids: np.ndarray
    top: np.ndarray
    left: np.ndarray
    bottom: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def among(self, which: np.ndarray) -> ObjectBoxes:
        """Those at these positions."""
        return ObjectBoxes(*(getattr(self, each.name)[which] for each in fields(self)))


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop that holds some objects whole.

    Args:
        window: its place in the image.
        ids: of the objects, increasing.
        runs: stretches of pixels along the rows, as `id_runs` gives them of `numbers`, though two neighbours may
            both be background.
    """

    window: Box
    ids: np.ndarray
    runs: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def shape(self) -> tuple[int, int]:
        """Y and X."""
        rows, columns = self.window
        return rows.stop - rows.start, columns.stop - columns.start

    @cached_property
    def numbers(self) -> np.ndarray:
        """YX int32, of each pixel the position of its object in `ids`, counted from 1; 0 elsewhere.

        What is elsewhere is background, or an object that belongs to another block.
        """
        numbers, _, lengths = self.runs
        return np.repeat(numbers, lengths).reshape(self.shape)


def object_boxes(labels: SlicedArray, *, block_px: int = BLOCK_PX, run: Run = map) -> ObjectBoxes:
    """Find the box around every object, in one pass over the pixels.

    Args:
        labels: YX ids of any integer dtype, 0 is background. Ids may have gaps and be large.
        block_px: pixels that are held at once, by each thread.
        run: how a function is called for each of such blocks: `map`, or that of an executor of threads.

    Raises:
        ValueError: no two axes, no integers, or a negative id.

    >>> boxes = object_boxes(np.array([[0, 900, 900], [7, 0, 900]]))
    >>> boxes.ids, boxes.top, boxes.left, boxes.bottom, boxes.right
    (array([  7, 900]), array([1, 0]), array([0, 1]), array([2, 2]), array([1, 3]))
    """
    if len(labels.shape) != 2 or np.dtype(labels.dtype).kind not in "iu":
        raise ValueError(
            f"{labels.dtype} of shape {tuple(labels.shape)} came, but Y and X of integer ids were expected; "
            "turn a mask into objects first, and pass one plane of a stack"
        )
    windows = list(tiles(labels, block_px=block_px))
    found = list(run(lambda window: _boxes_in(np.asarray(labels[window]), window), windows))
    ids, *sides = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order, first = _grouped(ids)
    extremes = zip((np.minimum, np.minimum, np.maximum, np.maximum), sides, strict=True)
    return ObjectBoxes(ids[order][first], *(extreme.reduceat(side[order], first) for extreme, side in extremes))


def tiles(labels: SlicedArray, *, block_px: int = BLOCK_PX) -> Iterator[Box]:
    """Windows that cover an image, in whole chunks where it is stored in such.

    Args:
        labels: YX.
        block_px: pixels of a window at most, if a chunk is not larger.

    Yields:
        The windows, row after row; one of no pixels for an image of none.

    >>> [(rows.start, rows.stop) for rows, _ in tiles(np.zeros((5, 10)), block_px=20)]
    [(0, 2), (2, 4), (4, 5)]
    """
    height, width = labels.shape
    # zarr gives the sides of a chunk, dask those of every chunk.
    chunks = [
        each[0] if isinstance(each, tuple) else each for each in getattr(labels, "chunks", None) or (1, max(1, width))
    ]
    across = max(1, min(width, max(1, block_px // (chunks[0] * chunks[1])) * chunks[1]))
    down = max(1, block_px // (across * chunks[0])) * chunks[0]
    for top in range(0, max(1, height), down):
        for left in range(0, max(1, width), across):
            yield slice(top, min(top + down, height)), slice(left, min(left + across, width))


def _boxes_in(part: np.ndarray, window: Box) -> tuple[np.ndarray, ...]:
    """The ids in a part of an image, and the four sides of the box around each there."""
    ids, starts, lengths = id_runs(part, by_row=True)
    if ids.size and ids.dtype.kind == "i" and ids.min() < 0:
        raise ValueError(f"id {ids.min()} came, but ids from 0, the background, were expected; renumber them")
    object_runs = ids > 0
    ids, starts, lengths = ids[object_runs], starts[object_runs], lengths[object_runs]
    rows, columns = np.divmod(starts, max(1, part.shape[1]))
    present, which = numbered(ids) if ids.size else (ids, starts)
    order, first = _grouped(which)
    rows, columns, lengths = rows[order], columns[order], lengths[order]
    top, left = window[0].start, window[1].start
    return (
        present,
        np.minimum.reduceat(rows, first) + top,
        np.minimum.reduceat(columns, first) + left,
        np.maximum.reduceat(rows, first) + top + 1,
        np.maximum.reduceat(columns + lengths, first) + left,
    )


def _grouped(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order that brings equal values together, increasing, and where each begins in it."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.r_[True, np.diff(values[order]) != 0][: len(values)])


def crops_of_whole_objects(
    labels: SlicedArray, boxes: ObjectBoxes | None = None, *, block_px: int = BLOCK_PX
) -> Iterator[Crop]:
    """Crops that hold some whole objects each, and together every object once, also those that cross any border.

    The image is divided into squares, and an object belongs to that of the top left corner of its box. A crop is the
    box around the objects of a square; one that is longer than a square gets a crop of its own, so that only a single
    object can make one of more than `block_px` pixels.

    Args:
        labels: YX ids of any integer dtype, 0 is background. Ids may have gaps and be large.
        boxes: as `object_boxes` gives them, or some of them; found first where they are missing.
        block_px: pixels of a crop at most, if a single object is not larger.

    Yields:
        The crops, those of a row of squares after each other.

    >>> labels = np.array([[5, 5, 0, 0, 3], [0, 5, 9, 9, 3]])
    >>> for block in crops_of_whole_objects(labels, block_px=16):
    ...     print(block.ids, block.window[1].start, block.numbers.tolist())
    [5] 0 [[1, 1], [0, 1]]
    [9] 2 [[1, 1]]
    [3] 4 [[1], [1]]
    """
    if boxes is None:
        boxes = object_boxes(labels, block_px=block_px)
    for some in groups_of_objects(boxes, labels.shape[1], block_px=block_px):
        yield crop_of(labels, some)


def groups_of_objects(boxes: ObjectBoxes, width: int, *, block_px: int = BLOCK_PX) -> Iterator[ObjectBoxes]:
    """The objects of each crop of `crops_of_whole_objects`.

    Args:
        boxes: of all objects.
        width: of the image.
        block_px: as there.
    """
    side = max(1, isqrt(block_px) // 2)  # a crop reaches beyond its square by a side at most
    squares = (boxes.top // side) * (width // side + 1) + boxes.left // side
    long = (boxes.bottom - boxes.top > side) | (boxes.right - boxes.left > side)
    order, first = _grouped(squares)
    for group in np.split(order, first[1:]):
        for some in (group[~long[group]], *group[long[group], None]):
            if len(some):
                yield boxes.among(some)


def crop_of(labels: SlicedArray, boxes: ObjectBoxes) -> Crop:
    """The crop around some objects.

    Args:
        labels: YX ids.
        boxes: around these objects, which there are.
    """
    rows = slice(int(boxes.top.min()), int(boxes.bottom.max()))
    columns = slice(int(boxes.left.min()), int(boxes.right.max()))
    ids, starts, lengths = id_runs(np.asarray(labels[rows, columns]), by_row=True)
    at = np.minimum(np.searchsorted(boxes.ids, ids), len(boxes) - 1)
    numbers = np.where(boxes.ids[at] == ids, at + 1, 0).astype(np.int32)
    return Crop((rows, columns), boxes.ids, (numbers, starts, lengths))
