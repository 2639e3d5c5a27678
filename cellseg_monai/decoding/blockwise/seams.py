"""Pieces of the foreground that cross the seams of blocks: joined, and divided whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellseg_monai.boxes import Box, SlicedArray
from cellseg_monai.decoding.blockwise.grid import Blocks
from cellseg_monai.decoding.blockwise.one_block import BlockObjects, Paint, check_fits
from cellseg_monai.decoding.maps import Maps
from cellseg_monai.decoding.numbering import areas_and_firsts
from cellseg_monai.decoding.postprocess import Postprocessing
from cellseg_monai.labels.relabel import id_runs, look_up

__all__ = ["Parts", "divide_across", "join_across"]

# Pieces along a seam are read together, up to so many pixels.
_BOX_PIXELS = 2**20


class Parts:
    """What one block holds of objects, by its ids from 1 on.

    Args:
        objects: of each id the object, as a number that all blocks share.
        areas: of each its pixels in this block; 0 where there are none.
        firsts: of each its first pixel in this block, as an index in the flat image.
    """

    def __init__(self, objects: np.ndarray, areas: np.ndarray, firsts: np.ndarray) -> None:
        self._rows = [np.stack([objects, areas, firsts])]
        self._paints: list[Paint] = []
        self.count = len(objects)

    def add(self, objects: np.ndarray, areas: np.ndarray, firsts: np.ndarray, paint: Paint) -> None:
        """Note some more, with the next ids, and where they are to be painted."""
        self._rows.append(np.stack([objects, areas, firsts]))
        self._paints.append(paint)
        self.count += len(objects)

    def drop(self, ids: np.ndarray) -> None:
        """Note that of the first ids, these come no more."""
        self._rows[0][1, ids - 1] = 0

    @property
    def table(self) -> np.ndarray:
        """Objects, areas and firsts of all ids, one below another."""
        return np.concatenate(self._rows, axis=1)

    def take_paint(self) -> Paint:
        """What is to be painted over the pieces that waited, of all that was added; it is held here no longer."""
        paints, self._paints = self._paints, []
        return np.concatenate([np.zeros((3, 0), np.int32), *paints], axis=1)


def join_across(found: Sequence[BlockObjects], groups: Sequence[np.ndarray]) -> list[Parts]:
    """The objects of all blocks, where each piece that waits is an object, whatever blocks it lies in.

    Args:
        found: what `label_block` has found in each block.
        groups: which of the waiting pieces are one, as `groups_across` gives it.

    Returns:
        Of each block.
    """
    parts, free = [], sum(len(block.areas) for block in found)
    start = 0
    for block, group in zip(found, groups, strict=True):
        objects = np.arange(start, start + len(block.areas))
        objects[block.waiting.numbers - 1] = free + group
        parts.append(Parts(objects, block.areas, block.firsts))
        start += len(objects)
    return parts


def divide_across(
    maps: Maps,
    settings: Postprocessing,
    labels: SlicedArray,
    blocks: Blocks,
    found: Sequence[BlockObjects],
    groups: Sequence[np.ndarray],
) -> list[Parts]:
    """The objects of all blocks, where each piece that waits is divided whole, and its objects are to be painted on it.

    Args:
        maps: Y×X by name, those of the whole image.
        settings: as for `label_objects`.
        labels: YX, as `label_block` has written it.
        blocks: how the image is cut.
        found: what `label_block` has found in each block.
        groups: which of the waiting pieces are one, as `groups_across` gives it.

    Returns:
        Of each block.
    """
    parts = join_across(found, groups)
    if not any(len(group) for group in groups):
        return parts
    for part, block in zip(parts, found, strict=True):
        part.drop(block.waiting.numbers)
    boxes = _around_each(np.concatenate(groups), np.concatenate([block.boxes for block in found]))
    free = sum(part.count for part in parts) + len(boxes)
    bundle_of, places = _bundles(boxes, blocks.sides), blocks.places
    for bundle, tight in enumerate(_around_each(bundle_of, boxes)):
        box = _with_margin(tight, 1, blocks.shape)  # so that it ends where a piece ends only where the image does
        mine: np.ndarray = np.zeros([side.stop - side.start for side in box], bool)
        for number, place, within in blocks.over(box):
            chosen: np.ndarray = np.zeros(parts[number].count + 1, bool)
            chosen[found[number].waiting.numbers] = bundle_of[groups[number]] == bundle
            mine[within] = look_up(chosen, np.asarray(labels[place]))
        method_maps = {name: np.asarray(maps[name][box]) for name in settings.method.maps}
        objects = settings.method.divide(mine, method_maps)
        for number, place, within in blocks.over(box):
            _note(objects[within], labels, place, places[number], parts[number], free)
        free += int(objects.max())
    return parts


def _around_each(group: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The box around those of each group, from 0 on."""
    around: np.ndarray = np.zeros((group.max(initial=-1) + 1, 4), np.int64)
    around[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(around[:, :2], group, boxes[:, :2])
    np.maximum.at(around[:, 2:], group, boxes[:, 2:])
    return around


def _bundles(boxes: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """For each box, with which others it is read: those that follow it along a seam, as many as one box may hold."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    seams = np.rint(centres / sides)
    away = np.abs(centres - seams * sides)
    upright = away[:, 1] < away[:, 0]
    seam, along = np.where(upright, seams[:, 1], seams[:, 0]), np.where(upright, centres[:, 0], centres[:, 1])
    bundle_of: np.ndarray = np.zeros(len(boxes), np.intp)
    bundle = -1
    least: np.ndarray = np.zeros(4, np.int64)
    edges = boxes * [1, 1, -1, -1]  # so that the least of each is the box around several
    for index in np.lexsort((along, seam, upright)).tolist():
        wider = np.minimum(least, edges[index])
        if bundle < 0 or (wider[0] + wider[2]) * (wider[1] + wider[3]) > _BOX_PIXELS:
            bundle, wider = bundle + 1, edges[index]
        bundle_of[index], least = bundle, wider
    return bundle_of


def _with_margin(box: np.ndarray, margin: int, shape: tuple[int, int]) -> Box:
    """A box, given as top, left, bottom and right, and so much around it, as far as the image goes."""
    top, left, bottom, right = box.tolist()
    return (
        slice(max(top - margin, 0), min(bottom + margin, shape[0])),
        slice(max(left - margin, 0), min(right + margin, shape[1])),
    )


def _note(objects: np.ndarray, labels: SlicedArray, place: Box, block: Box, part: Parts, free: int) -> None:
    """Note what one block holds of some objects, from 1 on; `free` is what object 1 is called."""
    ids, starts, lengths = id_runs(objects, by_row=True)
    is_object = ids > 0
    if not is_object.any():
        return
    ids, starts, lengths = ids[is_object], starts[is_object], lengths[is_object]
    areas, firsts = areas_and_firsts(ids, starts, lengths)
    present = np.flatnonzero(areas)
    check_fits(part.count + len(present), labels)
    next_ids: np.ndarray = np.zeros(len(areas), np.int64)
    next_ids[present] = part.count + 1 + np.arange(len(present))
    width = objects.shape[1]
    (top, bottom), (left, right) = ((side.start, side.stop) for side in block)
    in_block = _moved(starts, width, place, right - left, (top, left))
    narrow = np.int32 if (bottom - top) * (right - left) < 2**31 else np.int64
    part.add(
        present + (free - 1),
        areas[present],
        _moved(firsts[present], width, place, labels.shape[1], (0, 0)),
        np.stack([next_ids[ids], in_block, lengths]).astype(narrow),
    )


def _moved(pixels: np.ndarray, width: int, place: Box, wider: int, origin: tuple[int, int]) -> np.ndarray:
    """Indices in a flat part of an image as those in a wider part, which begins at `origin`."""
    rows, columns = np.divmod(pixels, width)
    return (rows + place[0].start - origin[0]) * wider + columns + place[1].start - origin[1]
