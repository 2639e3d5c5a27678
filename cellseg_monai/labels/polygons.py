"""Exact outlines of objects along pixel edges, and the reverse: objects drawn from outlines.

Because the outlines follow pixel edges, every program that fills them gets the same pixels. Contours through pixel
centres, such as those from OpenCV, lose half a pixel all around. No ring touches itself, so geometry libraries accept
the polygons as valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.labels.crops import BLOCK_PX, ObjectBoxes, crops_of_whole_objects

__all__ = ["Polygon", "draw_polygons", "object_polygons", "trace_polygons"]

_AHEAD = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])  # east, south, west, north, as (y, x)
_CORNER = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])  # corner of the pixel at which the edge in each direction starts


@dataclass(frozen=True, eq=False)
class Polygon:
    """The outline of one connected piece of an object.

    A ring is an n × 2 array of (x, y). Coordinates are those of pixel corners. The origin is the outer corner of the
    first pixel in the image, so the centre of that pixel is at 0.5. No corner is repeated, not even the first one at
    the end, and no corner lies on a straight line between its neighbours.

    Args:
        outer: ring around the piece, with the piece to its right (clockwise, with y pointing down).
        holes: rings around the holes in the piece, in the opposite direction.
    """

    outer: np.ndarray
    holes: tuple[np.ndarray, ...] = ()

    @property
    def rings(self) -> tuple[np.ndarray, ...]:
        """All rings, the outer ring first."""
        return (self.outer, *self.holes)


def object_polygons(
    labels: SlicedArray, boxes: ObjectBoxes | None = None, *, block_px: int = BLOCK_PX
) -> Iterator[tuple[int, list[Polygon]]]:
    """Trace the objects in a label image of any size.

    Args:
        labels: YX ids of any integer dtype, 0 is background.
        boxes: bounding boxes of the objects to trace, as returned by `object_boxes`; by default, all objects.
        block_px: maximum number of pixels held in memory at a time, unless a single object is larger.

    Yields:
        Each id with the pieces of its object; see `trace_polygons`. Ids increase within a crop, but not across crops.

    >>> [(number, len(pieces)) for number, pieces in object_polygons(np.array([[4, 0, 9], [0, 4, 9]]))]
    [(4, 2), (9, 1)]
    """
    for crop in crops_of_whole_objects(labels, boxes, block_px=block_px):
        origin = crop.window[0].start, crop.window[1].start
        yield from zip(crop.ids.tolist(), trace_polygons(crop.numbers, len(crop.ids), origin=origin), strict=True)


def trace_polygons(numbers: np.ndarray, count: int, *, origin: tuple[int, int] = (0, 0)) -> list[list[Polygon]]:
    """Trace the pieces of every object.

    Pixels are connected if they share an edge, not if they share only a corner. No ring touches itself. Where a piece
    encloses an area by meeting itself at a corner, the area is a hole that touches the outer ring at that corner.
    Polygons are therefore valid according to the OGC simple features standard (OGC 06-103r4).

    Args:
        numbers: the object that each pixel belongs to, as YX numbers counted from 1, with 0 in the background.
        count: number of objects.
        origin: row and column in the image of the first pixel in `numbers`.

    Returns:
        The pieces of each object, in the order of their first pixels.

    >>> [[ring]] = trace_polygons(np.array([[0, 1, 1], [0, 1, 1]]), 1)
    >>> ring.outer.tolist(), ring.holes
    ([[1, 0], [3, 0], [3, 2], [1, 2]], ())
    """
    polygons: list[list[Polygon]] = [[] for _ in range(count)]
    pieces = label(numbers, connectivity=1)
    corners, starts, owners = _rings(pieces)
    numbers_of: np.ndarray = np.zeros(int(pieces.max(initial=0)) + 1, np.intp)
    numbers_of[pieces.ravel()] = numbers.ravel()
    corners += origin[::-1]
    outer: dict[int, np.ndarray] = {}
    holes: dict[int, list[np.ndarray]] = {}
    bounds = np.r_[starts, len(corners)].tolist()
    for index, piece in enumerate(owners.tolist()):
        ring = corners[bounds[index] : bounds[index + 1]]
        if piece not in outer:  # rings are sorted by first pixel, so the outer ring comes before the holes
            outer[piece] = ring
        else:
            holes.setdefault(piece, []).append(ring)
    for piece in sorted(outer):
        polygons[numbers_of[piece] - 1].append(Polygon(outer[piece], tuple(holes.get(piece, ()))))
    return polygons


def _rings(pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the corners of all rings, the index of the first corner of each ring, and the piece of each ring."""
    padded = np.pad(pieces, 1).ravel()
    width = pieces.shape[1] + 2
    steps = _AHEAD @ (width, 1)
    inside = np.flatnonzero(padded)
    owner = padded[inside]
    # An edge is identified by its pixel, and by the direction that keeps this pixel to the right.
    keys, successors, straight = [], [], []
    for direction, (ahead, left) in enumerate(zip(steps.tolist(), np.roll(steps, 1).tolist(), strict=True)):
        border = padded[inside + left] != owner
        pixel, piece = inside[border], owner[border]
        turns_left = padded[pixel + ahead + left] == piece
        continues = ~turns_left & (padded[pixel + ahead] == piece)
        next_pixel = pixel + np.select([turns_left, continues], [ahead + left, ahead], 0)
        next_direction = direction + np.select([turns_left, continues], [-1, 0], 1)
        keys.append(4 * pixel + direction)
        successors.append(4 * next_pixel + next_direction % 4)
        straight.append(continues)
    key: np.ndarray = np.concatenate(keys)
    order = np.argsort(key)
    key = key[order]
    successor = np.asarray(np.searchsorted(key, np.concatenate(successors)[order]))
    starts_at_corner: np.ndarray = np.empty(len(key), bool)
    starts_at_corner[successor] = ~np.concatenate(straight)[order]
    walked, begins = _walk(successor)
    corners_before = np.cumsum(starts_at_corner[walked]) - starts_at_corner[walked]
    corner_edges = walked[starts_at_corner[walked]]
    rows, columns = np.divmod(key[corner_edges] // 4, width)
    corners = np.stack([columns, rows], axis=1) - 1 + _CORNER[key[corner_edges] % 4, ::-1]
    return corners, corners_before[begins], padded[key[walked[begins]] // 4]


def _walk(successor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all edges ring by ring, each ring from its first edge, and the index at which each ring begins."""
    next_edge = successor.tolist()
    seen = bytearray(len(next_edge))
    walked: list[int] = []
    begins: list[int] = []
    for first in range(len(next_edge)):
        if seen[first]:
            continue
        begins.append(len(walked))
        edge = first
        while not seen[edge]:
            seen[edge] = True
            walked.append(edge)
            edge = next_edge[edge]
    return np.array(walked, np.intp), np.array(begins, np.intp)


def draw_polygons(
    rings: Mapping[int, Iterable[Sequence[Sequence[int]] | np.ndarray]], shape: tuple[int, int]
) -> np.ndarray:
    """Fill outlines that follow pixel edges, the reverse of `trace_polygons`.

    Args:
        rings: rings for each id, both outer rings and holes, in any direction, closed or not. A pixel inside an odd
            number of rings belongs to the object.
        shape: size of the image, (Y, X).

    Returns:
        YX ids, as int64, or as a larger dtype if the ids need it.

    Raises:
        ValueError: a point is not a pixel corner, or a line is neither horizontal nor vertical.

    >>> draw_polygons({7: [[(1, 0), (3, 0), (3, 2), (1, 2)]]}, (2, 4))
    array([[0, 7, 7, 0],
           [0, 7, 7, 0]])
    """
    ids = np.array([0, *rings])
    owners, columns, tops, bottoms = [], [], [], []
    for number, object_rings in enumerate(rings.values(), start=1):
        for ring in object_rings:
            corners = np.asarray(ring)
            ends = np.roll(corners, -1, axis=0)
            if np.any(corners != np.floor(corners)) or np.any(np.all(corners != ends, axis=1)):
                raise ValueError(
                    f"the outline of object {ids[number]} does not follow pixel edges, expected integer coordinates "
                    "and only horizontal and vertical lines; pass outlines from trace_polygons"
                )
            vertical = corners[:, 0] == ends[:, 0]
            columns.append(corners[vertical, 0])
            tops.append(np.minimum(corners, ends)[vertical, 1])
            bottoms.append(np.maximum(corners, ends)[vertical, 1])
            owners.append(np.full(np.count_nonzero(vertical), number))
    steps: np.ndarray = np.zeros((shape[0], shape[1] + 1), np.int64)
    if owners:
        owner, column, top, bottom = (
            np.concatenate(parts).astype(np.int64) for parts in (owners, columns, tops, bottoms)
        )
        heights = bottom - top
        owner, column = np.repeat(owner, heights), np.repeat(column, heights)
        row = np.repeat(bottom - np.cumsum(heights), heights) + np.arange(heights.sum())
        order = np.lexsort((column, row, owner))
        owner, column, row = owner[order], column[order], row[order]
        owner[1::2] *= -1  # in each row, an object lies between its 1st and 2nd crossing, 3rd and 4th, ...
        np.add.at(steps, (row, column), owner)
    return ids[np.cumsum(steps, axis=1)[:, :-1]]
