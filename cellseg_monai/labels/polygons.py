"""Outlines of objects along the edges of their pixels, exactly, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.labels.crops import BLOCK_PX, ObjectBoxes, crops_of_whole_objects

__all__ = ["Polygon", "draw_polygons", "object_polygons", "trace_polygons"]

_AHEAD = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])  # east, south, west, north, as (y, x)
_CORNER = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])  # of its pixel, from which the edge of each direction starts


@dataclass(frozen=True, eq=False)
class Polygon:
    """A piece of an object.

    Rings are n × (x, y), corners of pixels, counted from the outer corner of the first pixel of the image, so that the
    centre of that pixel is at 0.5; each corner comes once, the first one is not repeated, and no corner lies between
    two others on one line.

    Args:
        outer: the ring around the piece, with the piece to its right (clockwise, as y goes down).
        holes: rings around what lies within and is not of the piece, the other way round.
    """

    outer: np.ndarray
    holes: tuple[np.ndarray, ...] = ()

    @property
    def rings(self) -> tuple[np.ndarray, ...]:
        """The outer one first."""
        return (self.outer, *self.holes)


def object_polygons(
    labels: SlicedArray, boxes: ObjectBoxes | None = None, *, block_px: int = BLOCK_PX
) -> Iterator[tuple[int, list[Polygon]]]:
    """Trace the objects of a label image of any size.

    Args:
        labels: YX ids of any integer dtype, 0 is background.
        boxes: as `object_boxes` gives them; found first where they are missing.
        block_px: pixels that are held at once, if no single object is larger.

    Yields:
        Each id, with the pieces of its object; see `trace_polygons`. In the order of ids within a crop.

    >>> [(number, len(pieces)) for number, pieces in object_polygons(np.array([[4, 0, 9], [0, 4, 9]]))]
    [(4, 2), (9, 1)]
    """
    for crop in crops_of_whole_objects(labels, boxes, block_px=block_px):
        origin = crop.window[0].start, crop.window[1].start
        yield from zip(crop.ids.tolist(), trace_polygons(crop.numbers, len(crop.ids), origin=origin), strict=True)


def trace_polygons(numbers: np.ndarray, count: int, *, origin: tuple[int, int] = (0, 0)) -> list[list[Polygon]]:
    """Trace the pieces of every object.

    Pixels hang together by their edges: those that meet at a corner alone are pieces of their own, unless they hang
    together elsewhere. No ring touches itself: where a piece closes in at a corner, what it closes in is a hole, which
    touches the ring around it there. So polygons are valid as simple features (OGC 06-103r4) define it.

    Args:
        numbers: YX, of each pixel the number of its object from 1 on, 0 elsewhere.
        count: how many objects there are.
        origin: row and column of the first pixel in the image.

    Returns:
        Of each object its pieces, in the order of their first pixels.

    >>> [[ring]] = trace_polygons(np.array([[0, 1, 1], [0, 1, 1]]), 1)
    >>> ring.outer.tolist(), ring.holes
    ([[1, 0], [3, 0], [3, 2], [1, 2]], ())
    """
    found: list[list[Polygon]] = [[] for _ in range(count)]
    pieces = label(numbers, connectivity=1)
    places, rings, owners = _rings(pieces)
    numbers_of: np.ndarray = np.zeros(int(pieces.max(initial=0)) + 1, np.intp)
    numbers_of[pieces.ravel()] = numbers.ravel()
    places += origin[::-1]
    outer: dict[int, np.ndarray] = {}
    holes: dict[int, list[np.ndarray]] = {}
    edges = np.r_[rings, len(places)].tolist()
    for at, owner in enumerate(owners.tolist()):
        ring = places[edges[at] : edges[at + 1]]
        if owner not in outer:  # it begins with the first pixel of its piece, and what surrounds others comes first
            outer[owner] = ring
        else:
            holes.setdefault(owner, []).append(ring)
    for owner in sorted(outer):
        found[numbers_of[owner] - 1].append(Polygon(outer[owner], tuple(holes.get(owner, ()))))
    return found


def _rings(pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The corners of all rings, one ring after another, where each begins, and to which piece it belongs."""
    around = np.pad(pieces, 1).ravel()
    width = pieces.shape[1] + 2
    steps = _AHEAD @ (width, 1)
    inside = np.flatnonzero(around)
    owner = around[inside]
    # An edge is known by its pixel and the direction in which one walks along it with the pixel to the right.
    keys, successors, straight = [], [], []
    for direction, (ahead, left) in enumerate(zip(steps.tolist(), np.roll(steps, 1).tolist(), strict=True)):
        border = around[inside + left] != owner
        at, own = inside[border], owner[border]
        turns_left = around[at + ahead + left] == own
        goes_on = ~turns_left & (around[at + ahead] == own)
        after = at + np.select([turns_left, goes_on], [ahead + left, ahead], 0)
        turned = direction + np.select([turns_left, goes_on], [-1, 0], 1)
        keys.append(4 * at + direction)
        successors.append(4 * after + turned % 4)
        straight.append(goes_on)
    key: np.ndarray = np.concatenate(keys)
    order = np.argsort(key)
    key = key[order]
    follows = np.asarray(np.searchsorted(key, np.concatenate(successors)[order]))
    turn: np.ndarray = np.empty(len(key), bool)  # whether there is a corner where the edge begins
    turn[follows] = ~np.concatenate(straight)[order]
    walked, begins = _walk(follows)
    rings = np.cumsum(turn[walked]) - turn[walked]
    corners = walked[turn[walked]]
    rows, columns = np.divmod(key[corners] // 4, width)
    places = np.stack([columns, rows], axis=1) - 1 + _CORNER[key[corners] % 4, ::-1]
    return places, rings[begins], around[key[walked[begins]] // 4]


def _walk(follows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All edges in the order of their rings, each from its first edge on; and where each ring begins."""
    successor = follows.tolist()
    seen = bytearray(len(successor))
    walked: list[int] = []
    begins: list[int] = []
    for first in range(len(successor)):
        if seen[first]:
            continue
        begins.append(len(walked))
        edge = first
        while not seen[edge]:
            seen[edge] = True
            walked.append(edge)
            edge = successor[edge]
    return np.array(walked, np.intp), np.array(begins, np.intp)


def draw_polygons(
    rings: Mapping[int, Iterable[Sequence[Sequence[int]] | np.ndarray]], shape: tuple[int, int]
) -> np.ndarray:
    """Fill outlines along pixel edges: the way back from `trace_polygons`.

    Args:
        rings: of each id its rings, outer ones and holes alike, in any direction, closed or not: what lies within an
            odd number of them belongs to the object.
        shape: (Y, X) of the image.

    Returns:
        YX, of the smallest integers from int64 on that hold the ids.

    Raises:
        ValueError: a corner between pixel corners, or a line that is neither a row nor a column.

    >>> draw_polygons({7: [[(1, 0), (3, 0), (3, 2), (1, 2)]]}, (2, 4))
    array([[0, 7, 7, 0],
           [0, 7, 7, 0]])
    """
    ids = np.array([0, *rings])
    owners, columns, tops, bottoms = [], [], [], []
    for number, some in enumerate(rings.values(), start=1):
        for ring in some:
            corners = np.asarray(ring)
            ends = np.roll(corners, -1, axis=0)
            if np.any(corners != np.floor(corners)) or np.any(np.all(corners != ends, axis=1)):
                raise ValueError(
                    f"an outline of {ids[number]} that leaves the edges of pixels came, but corners, each in the "
                    "row or column of the next, were expected; pass outlines as trace_polygons gives them"
                )
            upright = corners[:, 0] == ends[:, 0]
            columns.append(corners[upright, 0])
            tops.append(np.minimum(corners, ends)[upright, 1])
            bottoms.append(np.maximum(corners, ends)[upright, 1])
            owners.append(np.full(np.count_nonzero(upright), number))
    steps: np.ndarray = np.zeros((shape[0], shape[1] + 1), np.int64)
    if owners:
        owner, column, top, bottom = (
            np.concatenate(each).astype(np.int64) for each in (owners, columns, tops, bottoms)
        )
        heights = bottom - top
        owner, column = np.repeat(owner, heights), np.repeat(column, heights)
        row = np.repeat(bottom - np.cumsum(heights), heights) + np.arange(heights.sum())
        order = np.lexsort((column, row, owner))
        owner, column, row = owner[order], column[order], row[order]
        owner[1::2] *= -1  # of the crossings of an object in a row, the object lies between first and second, ...
        np.add.at(steps, (row, column), owner)
    return ids[np.cumsum(steps, axis=1)[:, :-1]]
