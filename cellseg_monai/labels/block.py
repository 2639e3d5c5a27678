"""What is done with one block of an image, and what others need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellseg_monai.boxes import Box, SlicedArray, WritableArray
from cellseg_monai.labels.blocks import Edges
from cellseg_monai.labels.holes import background_pieces, fill_holes, numbers_at_border
from cellseg_monai.labels.numbering import areas_and_firsts
from cellseg_monai.labels.pieces import Pieces
from cellseg_monai.labels.postprocess import METHODS, Postprocessing, divided, foreground_mask, reach_px
from cellseg_monai.labels.probabilities import check_probabilities
from cellseg_monai.labels.relabel import look_up

__all__ = [
    "BlockObjects",
    "background_edges",
    "check_fits",
    "divide_block",
    "divided_beside",
    "label_block",
    "number_block",
]

Sides = tuple[bool, bool, bool, bool]


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


def background_edges(maps: SlicedArray, settings: Postprocessing, place: Box) -> Edges:
    """The background of a block, as far as it may go on beyond.

    Args:
        maps: CYX, those of the whole image.
        settings: of these, the threshold.
        place: of the block.
    """
    pieces = background_pieces(foreground_mask(np.asarray(maps[0, place[0], place[1]]), settings))
    return Edges.of(pieces, numbers_at_border(pieces))


def label_block(
    maps: SlicedArray,
    settings: Postprocessing,
    labels: WritableArray,
    place: Box,
    sides_inside: Sides,
    outside: np.ndarray | None,
) -> BlockObjects:
    """Write the objects of a block, and the pieces that wait, with ids from 1 on.

    Args:
        maps: CYX, those of the whole image.
        settings: as for `label_objects`.
        labels: YX, where to write.
        place: of the block.
        sides_inside: whether the image goes on above, below, to the left and to the right.
        outside: as for `divide_block`.

    Returns:
        What the other blocks need to know.
    """
    needed = METHODS[settings.method]
    objects, waiting = divide_block(np.asarray(maps[:needed, place[0], place[1]]), settings, sides_inside, outside)
    areas, firsts = areas_and_firsts(objects)
    check_fits(len(areas) - 1, labels)
    labels[place] = objects
    top, left = place[0].start, place[1].start
    boxes: np.ndarray = np.zeros((len(waiting), 4), np.int64)
    if len(waiting) and settings.method != "components":  # which are not read again
        around = ndimage.find_objects(objects)
        for box, number in zip(boxes, waiting.tolist(), strict=True):
            y, x = around[number - 1]
            box[:] = top + y.start, left + x.start, top + y.stop, left + x.stop
    rows, columns = np.divmod(firsts, objects.shape[1])
    firsts = (top + rows) * labels.shape[1] + left + columns
    return BlockObjects(areas[1:], firsts[1:], Edges.of(objects, waiting), boxes)


def divide_block(
    maps: np.ndarray, settings: Postprocessing, sides_inside: Sides, outside: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The objects of a block, and, not divided, the pieces so near to others that these have a say.

    Args:
        maps: CYX, of the block.
        settings: as for `label_objects`.
        sides_inside: whether the image goes on above, below, to the left and to the right.
        outside: which of `background_pieces` of this block are no holes; None: holes stay.

    Returns:
        YX int32: ids from 1, not without gaps, also for the pieces that wait; the ids of these, sorted.

    >>> maps = np.array([[[0.9, 0.0, 0.9, 0.9]]])
    >>> divide_block(maps, Postprocessing(fill_holes=False), (False, False, False, True), None)
    (array([[1, 0, 2, 2]], dtype=int32), array([2]))
    """
    mask = foreground_mask(maps[0], settings)
    others = maps[1 : METHODS[settings.method]]
    check_probabilities(others)
    if outside is not None:
        mask = fill_holes(background_pieces(mask), outside)
    nobody: np.ndarray = np.zeros(0, np.intp)
    if not any(sides_inside) or not mask.any():
        return divided(mask, others, settings), nobody
    pieces = Pieces.of(mask)
    rim = max(reach_px(settings.method), 1)
    above, below, left, right = sides_inside
    waits: np.ndarray = np.zeros(pieces.count + 1, bool)
    for side, goes_on in (
        (pieces.numbers[:rim], above),
        (pieces.numbers[-rim:], below),
        (pieces.numbers[:, :rim], left),
        (pieces.numbers[:, -rim:], right),
    ):
        if goes_on:
            waits[side] = True
    waits[0] = False
    if not waits.any():
        return divided(mask, others, settings), nobody
    if settings.method == "components":
        return pieces.numbers, np.flatnonzero(waits)
    at_home = ~waits
    at_home[0] = False
    objects = divided_beside(look_up(at_home, pieces.numbers), mask, others, settings)
    ids = np.where(waits, np.cumsum(waits) + objects.max(), 0).astype(np.int32)
    objects += look_up(ids, pieces.numbers)
    return objects, ids[waits]


def divided_beside(
    mine: np.ndarray, foreground: np.ndarray, others: np.ndarray, settings: Postprocessing
) -> np.ndarray:
    """Some pieces of the foreground divided into objects, as they are among all others.

    Args:
        mine: YX bool, these pieces, each of them whole.
        foreground: YX bool, with other pieces, as far as they lie within `reach_px`.
        others: as for `divided`.
        settings: as for `divided`.

    Returns:
        As `divided`, 0 on the other pieces.
    """
    if settings.method not in ("distance_watershed", "boundary_watershed"):
        return divided(mine, others, settings)
    # How deep in others a pixel lies has a say near to these; others farther away need not be divided.
    objects = divided(foreground & _wider(mine, reach_px(settings.method)), others, settings)
    objects *= mine
    return objects


def _wider(mask: np.ndarray, by_px: int) -> np.ndarray:
    """The pixels that lie so near to some of the mask, along rows and columns."""
    wider = mask.copy()
    for lines in (wider, wider.T):
        reach = 0
        while reach < by_px:
            step = min(reach + 1, by_px - reach)
            before = lines.copy()
            lines[step:] |= before[:-step]
            lines[:-step] |= before[step:]
            reach += step
    return wider


def number_block(labels: SlicedArray, out: WritableArray, place: Box, table: np.ndarray) -> None:
    """Write the objects of a block with their numbers.

    Args:
        labels: YX, as `label_block` has written it.
        out: YX, where to write; may be the same.
        place: of the block.
        table: the number of each id of the block, from 0 on.
    """
    out[place] = look_up(table, np.asarray(labels[place]))


def check_fits(highest: int, labels: WritableArray) -> None:
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
