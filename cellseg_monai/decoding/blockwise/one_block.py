"""What is done with one block of an image, and what others need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellseg_monai.boxes import Box, SlicedArray, WritableArray
from cellseg_monai.decoding.blockwise.grid import Edges
from cellseg_monai.decoding.holes import fill_holes
from cellseg_monai.decoding.maps import Maps, check_probabilities
from cellseg_monai.decoding.numbering import areas_and_firsts
from cellseg_monai.decoding.pieces import Pieces
from cellseg_monai.decoding.postprocess import Postprocessing, foreground_mask
from cellseg_monai.labels.relabel import id_runs, look_up, run_pixels

__all__ = [
    "BlockObjects",
    "Paint",
    "background_edges",
    "check_fits",
    "divide_block",
    "label_block",
    "number_block",
    "paint_block",
]

Sides = tuple[bool, bool, bool, bool]

Paint = np.ndarray
"""Stretches of pixels of a block, 3×N integers: their ids; of each the index of its first pixel in the flat block; its
length."""


@dataclass(frozen=True, eq=False)
class BlockObjects:
    """The objects of a block by their ids in it, from 1 on, and the pieces that wait for what lies beyond it.

    Args:
        areas: of each id the pixels, 0 where there is none.
        firsts: of each the first pixel, as an index in the flat image.
        waiting: the ids of the pieces that may go on beyond, and the edges of the block.
        boxes: of each piece that waits to be divided: top, left, bottom, right in the image.
    """

    areas: np.ndarray
    firsts: np.ndarray
    waiting: Edges
    boxes: np.ndarray


def background_edges(maps: Maps, settings: Postprocessing, place: Box) -> Edges:
    """The background of a block, as far as it may go on beyond.

    Args:
        maps: Y×X by name, those of the whole image.
        settings: only their threshold is used.
        place: of the block.
    """
    pieces = Pieces.of(~foreground_mask(np.asarray(maps["foreground"][place]), settings))
    return Edges.of(pieces.dense, np.flatnonzero(pieces.at_border) + 1)


def label_block(
    maps: Maps,
    settings: Postprocessing,
    labels: WritableArray,
    place: Box,
    sides_inside: Sides,
    outside: np.ndarray | None,
) -> BlockObjects:
    """Write the objects of a block, and the pieces that wait, with ids from 1 on.

    Args:
        maps: Y×X by name, those of the whole image.
        settings: as for `label_objects`.
        labels: Y×X, where to write.
        place: of the block.
        sides_inside: whether the image goes on above, below, to the left and to the right.
        outside: as for `divide_block`.

    Returns:
        What the other blocks need to know.
    """
    parts = {name: np.asarray(maps[name][place]) for name in ("foreground", *settings.method.maps)}
    objects, waiting, boxes = divide_block(parts, settings, sides_inside, outside)
    areas, firsts = areas_and_firsts(*id_runs(objects))
    check_fits(len(areas) - 1, labels)
    labels[place] = objects
    top, left = place[0].start, place[1].start
    rows, columns = np.divmod(firsts, objects.shape[1])
    firsts = (top + rows) * labels.shape[1] + left + columns
    return BlockObjects(areas[1:], firsts[1:], Edges.of(objects, waiting), boxes + np.array([top, left, top, left]))


def divide_block(
    maps: Mapping[str, np.ndarray], settings: Postprocessing, sides_inside: Sides, outside: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The objects of a block, and, not divided, the pieces that may go on beyond.

    Args:
        maps: Y×X by name, of the block.
        settings: as for `label_objects`.
        sides_inside: whether the image goes on above, below, to the left and to the right.
        outside: which pieces of the background of this block are no holes; None: holes stay.

    Returns:
        YX int32: ids from 1, not without gaps, also for the pieces that wait; the ids of these, sorted; and of each the
        top, left, bottom and right in the block.

    >>> maps = {"foreground": np.array([[0.9, 0.0, 0.9, 0.9]])}
    >>> divide_block(maps, Postprocessing(fill_holes=False), (False, False, False, True), None)
    (array([[1, 0, 2, 2]], dtype=int32), array([2]), array([[0, 2, 1, 4]]))
    """
    method = settings.method
    mask = foreground_mask(maps["foreground"], settings)
    method_maps = {name: maps[name] for name in method.maps}
    for values in method_maps.values():
        check_probabilities(values)
    if outside is not None:
        mask = fill_holes(mask, Pieces.of(~mask), outside)
    nobody: tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.intp), np.zeros((0, 4), np.intp))
    if not any(sides_inside) or not mask.any():
        return method.divide(mask, method_maps), *nobody
    pieces = Pieces.of(mask)
    (top, left), (bottom, right) = pieces.boxes[:, :2].T, pieces.boxes[:, 2:].T
    touches = np.array([top == 0, bottom == mask.shape[0], left == 0, right == mask.shape[1]])
    waits = touches[np.array(sides_inside)].any(axis=0)
    if method.keeps_components:
        return pieces.dense, np.flatnonzero(waits) + 1, pieces.boxes[waits]
    if not waits.any():
        return method.divide(mask, method_maps), *nobody
    objects = method.divide(pieces.painted(np.append(False, ~waits)), method_maps)
    ids: np.ndarray = np.append(0, np.where(waits, np.cumsum(waits) + objects.max(), 0)).astype(np.int32)
    objects += pieces.painted(ids)
    return objects, ids[1:][waits], pieces.boxes[waits]


def paint_block(labels: WritableArray, place: Box, paint: Paint) -> None:
    """Write objects that were made across the seams of a block over the pieces that waited for it.

    Args:
        labels: YX, as `label_block` has written it.
        place: of the block.
        paint: the objects.
    """
    if paint.size:
        labels[place] = _painted(np.asarray(labels[place]), paint)


def number_block(labels: SlicedArray, out: WritableArray, place: Box, paint: Paint, table: np.ndarray) -> None:
    """Write the objects of a block with their numbers, those across its seams among them.

    Args:
        labels: YX, as `label_block` has written it.
        out: YX, where to write; may be the same.
        place: of the block.
        paint: as for `paint_block`.
        table: the number of each id of the block, from 0 on.
    """
    out[place] = look_up(table, _painted(np.asarray(labels[place]), paint))


def _painted(ids: np.ndarray, paint: Paint) -> np.ndarray:
    if not paint.size:
        return ids
    values, starts, lengths = paint
    painted = np.array(ids, order="C")
    painted.reshape(-1)[run_pixels(starts, lengths)] = np.repeat(values.astype(ids.dtype), lengths)
    return painted


def check_fits(highest: int, labels: SlicedArray) -> None:
    """Refuse ids that an array of labels cannot hold.

    Args:
        highest: of the ids.
        labels: where they are to be written.

    Raises:
        ValueError: the dtype of `labels` is too narrow.
    """
    dtype = np.dtype(labels.dtype)
    if highest > np.iinfo(dtype).max:
        raise ValueError(
            f"{highest} objects came in one block or image, small ones that are dropped included, but {dtype} holds "
            f"{np.iinfo(dtype).max} at most; give labels of uint32 or uint64"
        )
