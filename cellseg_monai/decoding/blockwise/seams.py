"""Join and divide foreground components that cross the seams between blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellseg_monai.boxes import Box, SlicedArray
from cellseg_monai.decoding.blockwise.grid import Blocks
from cellseg_monai.decoding.blockwise.one_block import BlockObjects, IdRuns, check_fits
from cellseg_monai.decoding.maps import Maps
from cellseg_monai.decoding.numbering import areas_and_first_pixels
from cellseg_monai.decoding.postprocess import Postprocessing
from cellseg_monai.labels.relabel import id_runs, look_up

__all__ = ["ObjectParts", "divide_across", "join_across"]

# Largest box, in pixels, that is read at a time, unless a single component needs a larger one.
_BOX_PIXELS = 2**20


class ObjectParts:
    """The parts of objects that lie in one block.

    Each part has an id within the block. The first entry of each array belongs to id 1.

    Args:
        objects: number of the object that each part belongs to; object numbers are the same in all blocks.
        areas: number of pixels in each part; 0 for an id that does not occur.
        first_pixels: index of each part's first pixel in the flattened image.
    """

    def __init__(self, objects: np.ndarray, areas: np.ndarray, first_pixels: np.ndarray) -> None:
        self._tables = [np.stack([objects, areas, first_pixels])]
        self._runs: list[IdRuns] = []
        self.count = len(objects)

    def add(self, objects: np.ndarray, areas: np.ndarray, first_pixels: np.ndarray, runs: IdRuns) -> None:
        """Add parts with the next free ids, and the runs of their pixels."""
        self._tables.append(np.stack([objects, areas, first_pixels]))
        self._runs.append(runs)
        self.count += len(objects)

    def drop(self, ids: np.ndarray) -> None:
        """Set the areas of some of the original ids to 0."""
        self._tables[0][1, ids - 1] = 0

    @property
    def table(self) -> np.ndarray:
        """3×N, the object number, area and first pixel of each part."""
        return np.concatenate(self._tables, axis=1)

    def take_runs(self) -> IdRuns:
        """Return the runs of all parts that were added, and release them from memory."""
        runs, self._runs = self._runs, []
        return np.concatenate([np.zeros((3, 0), np.int32), *runs], axis=1)


def join_across(block_objects: Sequence[BlockObjects], groups: Sequence[np.ndarray]) -> list[ObjectParts]:
    """Turn each group of open components into one object.

    Args:
        block_objects: results of `label_block`, one per block.
        groups: group numbers of the open components in each block, as returned by `groups_across`.

    Returns:
        The parts of objects in each block.
    """
    parts, next_object = [], sum(len(block.areas) for block in block_objects)
    start = 0
    for block, group in zip(block_objects, groups, strict=True):
        objects = np.arange(start, start + len(block.areas))
        objects[block.waiting.numbers - 1] = next_object + group
        parts.append(ObjectParts(objects, block.areas, block.first_pixels))
        start += len(objects)
    return parts


def divide_across(
    maps: Maps,
    settings: Postprocessing,
    labels: SlicedArray,
    blocks: Blocks,
    block_objects: Sequence[BlockObjects],
    groups: Sequence[np.ndarray],
) -> list[ObjectParts]:
    """Divide each group of open components as a whole.

    Args:
        maps: Y×X maps of the whole image, by name.
        settings: post-processing settings.
        labels: Y×X, as written by `label_block`. This function only reads it; new objects are returned as runs.
        blocks: the blocks of the image.
        block_objects: results of `label_block`, one per block.
        groups: group numbers of the open components in each block, as returned by `groups_across`.

    Returns:
        The parts of objects in each block.
    """
    parts = join_across(block_objects, groups)
    if not any(len(group) for group in groups):
        return parts
    for part, block in zip(parts, block_objects, strict=True):
        part.drop(block.waiting.numbers)
    boxes = _enclosing_boxes(np.concatenate(groups), np.concatenate([block.boxes for block in block_objects]))
    next_object = sum(part.count for part in parts) + len(boxes)
    batch_of, places = _reading_batches(boxes, blocks.sides), blocks.places
    for batch, tight in enumerate(_enclosing_boxes(batch_of, boxes)):
        # The margin keeps components away from the edge of the box except where the image itself ends.
        box = _with_margin(tight, 1, blocks.shape)
        mask: np.ndarray = np.zeros([side.stop - side.start for side in box], bool)
        for number, place, within in blocks.over(box):
            in_batch: np.ndarray = np.zeros(parts[number].count + 1, bool)
            in_batch[block_objects[number].waiting.numbers] = batch_of[groups[number]] == batch
            mask[within] = look_up(in_batch, np.asarray(labels[place]))
        method_maps = {name: np.asarray(maps[name][box]) for name in settings.method.maps}
        objects = settings.method.divide(mask, method_maps)
        for number, place, within in blocks.over(box):
            _add_objects(objects[within], labels, place, places[number], parts[number], next_object)
        next_object += int(objects.max())
    return parts


def _enclosing_boxes(groups: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the box that encloses all boxes of each group, indexed by group number."""
    enclosing: np.ndarray = np.zeros((groups.max(initial=-1) + 1, 4), np.int64)
    enclosing[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(enclosing[:, :2], groups, boxes[:, :2])
    np.maximum.at(enclosing[:, 2:], groups, boxes[:, 2:])
    return enclosing


def _reading_batches(boxes: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """Assign boxes along the same seam to batches that are read together.

    Args:
        boxes: N×4, top, left, bottom and right of each group of components.
        sides: height and width of a block.

    Returns:
        The batch number of each box; batches are numbered from 0.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    seams = np.rint(centres / sides)
    distances = np.abs(centres - seams * sides)
    upright = distances[:, 1] < distances[:, 0]
    seam, along = np.where(upright, seams[:, 1], seams[:, 0]), np.where(upright, centres[:, 0], centres[:, 1])
    batch_of: np.ndarray = np.zeros(len(boxes), np.intp)
    batch = -1
    enclosing: np.ndarray = np.zeros(4, np.int64)
    signed = boxes * [1, 1, -1, -1]  # makes the minimum of several boxes the box around them
    for index in np.lexsort((along, seam, upright)).tolist():
        wider = np.minimum(enclosing, signed[index])
        if batch < 0 or (wider[0] + wider[2]) * (wider[1] + wider[3]) > _BOX_PIXELS:
            batch, wider = batch + 1, signed[index]
        batch_of[index], enclosing = batch, wider
    return batch_of


def _with_margin(box: np.ndarray, margin: int, shape: tuple[int, int]) -> Box:
    """Enlarge a box by a margin, but not beyond the image; the box is given as top, left, bottom and right."""
    top, left, bottom, right = box.tolist()
    return (
        slice(max(top - margin, 0), min(bottom + margin, shape[0])),
        slice(max(left - margin, 0), min(right + margin, shape[1])),
    )


def _add_objects(
    objects: np.ndarray, labels: SlicedArray, place: Box, block: Box, part: ObjectParts, next_object: int
) -> None:
    """Add new objects, cropped to one block, to the parts in that block.

    Args:
        objects: Y×X crop of a label image, with positive ids for objects and 0 for background.
        labels: Y×X, the size of the whole image; only its shape and dtype are used.
        place: box of `objects` in the image, within the block.
        block: box of the block.
        part: parts of objects in the block; the new parts are added to it.
        next_object: number of the object with id 1.
    """
    ids, starts, lengths = id_runs(objects, by_row=True)
    is_object = ids > 0
    if not is_object.any():
        return
    ids, starts, lengths = ids[is_object], starts[is_object], lengths[is_object]
    areas, first_pixels = areas_and_first_pixels(ids, starts, lengths)
    present = np.flatnonzero(areas)
    check_fits(part.count + len(present), labels)
    next_ids: np.ndarray = np.zeros(len(areas), np.int64)
    next_ids[present] = part.count + 1 + np.arange(len(present))
    width = objects.shape[1]
    (top, bottom), (left, right) = ((side.start, side.stop) for side in block)
    in_block = _moved(starts, width, place, right - left, (top, left))
    narrow = np.int32 if (bottom - top) * (right - left) < 2**31 else np.int64
    part.add(
        present + (next_object - 1),
        areas[present],
        _moved(first_pixels[present], width, place, labels.shape[1], (0, 0)),
        np.stack([next_ids[ids], in_block, lengths]).astype(narrow),
    )


def _moved(pixels: np.ndarray, width: int, place: Box, new_width: int, origin: tuple[int, int]) -> np.ndarray:
    """Convert pixel indices in one flattened part of an image to indices in another part.

    Args:
        pixels: indices of pixels in the first part.
        width: width of the first part.
        place: box of the first part in the image.
        new_width: width of the second part.
        origin: top and left of the second part in the image.
    """
    rows, columns = np.divmod(pixels, width)
    return (rows + place[0].start - origin[0]) * new_width + columns + place[1].start - origin[1]
