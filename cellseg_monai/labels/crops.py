"""Crops that contain whole objects, cut from a label image of any size.

Objects are measured, traced and written through these crops, so a label image on disk (a Zarr array, a memory map) is
processed like one in memory.
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
    """Bounding boxes of objects, in the order of their ids.

    Args:
        ids: ids of the objects, in increasing order.
        top: first row of each object.
        left: first column of each object.
        bottom: row after the last row of each object.
        right: column after the last column of each object.
    """

    ids: np.ndarray
    top: np.ndarray
    left: np.ndarray
    bottom: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def among(self, positions: np.ndarray) -> ObjectBoxes:
        """Return the boxes at the given positions."""
        return ObjectBoxes(*(getattr(self, field.name)[positions] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop that contains one or more whole objects.

    Args:
        window: rows and columns of the crop in the image.
        ids: ids of the objects, in increasing order.
        runs: the runs of pixels in `numbers` along the rows, as `id_runs` returns them, except that two neighbouring
            runs can both be background.
    """

    window: Box
    ids: np.ndarray
    runs: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def shape(self) -> tuple[int, int]:
        """Size of the crop in pixels, (Y, X)."""
        rows, columns = self.window
        return rows.stop - rows.start, columns.stop - columns.start

    @cached_property
    def numbers(self) -> np.ndarray:
        """For each pixel, the position of its object in `ids`, counted from 1, as YX int32.

        The background, and objects that belong to other crops, are 0.
        """
        numbers, _, lengths = self.runs
        return np.repeat(numbers, lengths).reshape(self.shape)


def object_boxes(labels: SlicedArray, *, block_px: int = BLOCK_PX, run: Run = map) -> ObjectBoxes:
    """Find the bounding box of every object, in one pass over the pixels.

    Args:
        labels: YX ids of any integer dtype, 0 is background. Ids can have gaps and be large.
        block_px: maximum number of pixels that each thread holds at a time.
        run: a function that calls another function for each block: `map`, or the `map` of a thread pool.

    Raises:
        ValueError: the labels are not YX, are not integers, or contain a negative id.

    >>> boxes = object_boxes(np.array([[0, 900, 900], [7, 0, 900]]))
    >>> boxes.ids, boxes.top, boxes.left, boxes.bottom, boxes.right
    (array([  7, 900]), array([1, 0]), array([0, 1]), array([2, 2]), array([1, 3]))
    """
    if len(labels.shape) != 2 or np.dtype(labels.dtype).kind not in "iu":
        raise ValueError(
            f"got a {labels.dtype} array of shape {tuple(labels.shape)}, expected integer ids of shape (Y, X); "
            "label the objects in a mask first, and pass a single plane from a stack"
        )
    windows = list(tiles(labels, block_px=block_px))
    parts = list(run(lambda window: _boxes_in(np.asarray(labels[window]), window), windows))
    ids, *sides = (np.concatenate(values) for values in zip(*parts, strict=True))
    order, first = _grouped(ids)
    extremes = zip((np.minimum, np.minimum, np.maximum, np.maximum), sides, strict=True)
    return ObjectBoxes(ids[order][first], *(extreme.reduceat(side[order], first) for extreme, side in extremes))


def tiles(labels: SlicedArray, *, block_px: int = BLOCK_PX) -> Iterator[Box]:
    """Divide an image into windows, which consist of whole chunks if the image is stored in chunks.

    Args:
        labels: YX ids.
        block_px: maximum number of pixels in a window, unless a single chunk is larger.

    Yields:
        The windows, row after row. An image without pixels has one empty window.

    >>> [(rows.start, rows.stop) for rows, _ in tiles(np.zeros((5, 10)), block_px=20)]
    [(0, 2), (2, 4), (4, 5)]
    """
    height, width = labels.shape
    # Zarr gives the sides of a single chunk, and Dask the sides of every chunk.
    stored_chunks = getattr(labels, "chunks", None) or (1, max(1, width))
    chunks = [side[0] if isinstance(side, tuple) else side for side in stored_chunks]
    across = max(1, min(width, max(1, block_px // (chunks[0] * chunks[1])) * chunks[1]))
    down = max(1, block_px // (across * chunks[0])) * chunks[0]
    for top in range(0, max(1, height), down):
        for left in range(0, max(1, width), across):
            yield slice(top, min(top + down, height)), slice(left, min(left + across, width))


def _boxes_in(part: np.ndarray, window: Box) -> tuple[np.ndarray, ...]:
    """Return the ids in a part of an image, and the four sides of each object's bounding box within that part."""
    ids, starts, lengths = id_runs(part, by_row=True)
    if ids.size and ids.dtype.kind == "i" and ids.min() < 0:
        raise ValueError(
            f"got id {ids.min()}, expected 0 for background and positive ids for objects; renumber the labels"
        )
    object_runs = ids > 0
    ids, starts, lengths = ids[object_runs], starts[object_runs], lengths[object_runs]
    rows, columns = np.divmod(starts, max(1, part.shape[1]))
    present, numbers = numbered(ids) if ids.size else (ids, starts)
    order, first = _grouped(numbers)
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
    """Return the order that sorts the values, and the index in that order at which each distinct value begins."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.r_[True, np.diff(values[order]) != 0][: len(values)])


def crops_of_whole_objects(
    labels: SlicedArray, boxes: ObjectBoxes | None = None, *, block_px: int = BLOCK_PX
) -> Iterator[Crop]:
    """Divide the objects in an image among crops that contain them whole.

    Every object is in exactly one crop. The image is divided into squares, and each object belongs to the square that
    contains the top left corner of its bounding box. A crop is the box around all objects in a square. An object longer
    than a square gets a crop of its own, so only a crop with a single object can have more than `block_px` pixels.

    Args:
        labels: YX ids of any integer dtype, 0 is background. Ids can have gaps and be large.
        boxes: bounding boxes of the objects to include, as returned by `object_boxes`; by default, all objects.
        block_px: maximum number of pixels in a crop, unless a single object is larger.

    Yields:
        The crops, in the order of their squares, row after row.

    >>> labels = np.array([[5, 5, 0, 0, 3], [0, 5, 9, 9, 3]])
    >>> for block in crops_of_whole_objects(labels, block_px=16):
    ...     print(block.ids, block.window[1].start, block.numbers.tolist())
    [5] 0 [[1, 1], [0, 1]]
    [9] 2 [[1, 1]]
    [3] 4 [[1], [1]]
    """
    if boxes is None:
        boxes = object_boxes(labels, block_px=block_px)
    for group in groups_of_objects(boxes, labels.shape[1], block_px=block_px):
        yield crop_of(labels, group)


def groups_of_objects(boxes: ObjectBoxes, width: int, *, block_px: int = BLOCK_PX) -> Iterator[ObjectBoxes]:
    """Divide objects into groups, one for each crop in `crops_of_whole_objects`.

    Args:
        boxes: bounding boxes of the objects.
        width: width of the image in pixels.
        block_px: maximum number of pixels in a crop, unless a single object is larger.
    """
    side = max(1, isqrt(block_px) // 2)  # a crop extends beyond its square by at most one side length
    squares = (boxes.top // side) * (width // side + 1) + boxes.left // side
    long = (boxes.bottom - boxes.top > side) | (boxes.right - boxes.left > side)
    order, first = _grouped(squares)
    for group in np.split(order, first[1:]):
        for members in (group[~long[group]], *group[long[group], None]):
            if len(members):
                yield boxes.among(members)


def crop_of(labels: SlicedArray, boxes: ObjectBoxes) -> Crop:
    """Read the crop around some objects.

    Args:
        labels: YX ids.
        boxes: bounding boxes of the objects, at least one.
    """
    rows = slice(int(boxes.top.min()), int(boxes.bottom.max()))
    columns = slice(int(boxes.left.min()), int(boxes.right.max()))
    ids, starts, lengths = id_runs(np.asarray(labels[rows, columns]), by_row=True)
    positions = np.minimum(np.searchsorted(boxes.ids, ids), len(boxes) - 1)
    numbers = np.where(boxes.ids[positions] == ids, positions + 1, 0).astype(np.int32)
    return Crop((rows, columns), boxes.ids, (numbers, starts, lengths))
