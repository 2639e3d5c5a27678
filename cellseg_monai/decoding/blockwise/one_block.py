"""What is done with one block of an image, and what the other blocks need to know about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellseg_monai.boxes import Box, SlicedArray, WritableArray
from cellseg_monai.decoding.blockwise.grid import BlockEdges
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.holes import fill_holes
from cellseg_monai.decoding.maps import Maps, check_probabilities
from cellseg_monai.decoding.numbering import areas_and_first_pixels
from cellseg_monai.decoding.postprocess import Postprocessing, foreground_mask
from cellseg_monai.labels.relabel import id_runs, look_up, run_pixels

__all__ = [
    "BlockObjects",
    "IdRuns",
    "background_edges",
    "check_fits",
    "divide_inner_components",
    "label_block",
    "write_final_ids",
    "write_id_runs",
]

Sides = tuple[bool, bool, bool, bool]
"""Above, below, left and right of a block."""

IdRuns = np.ndarray
"""Runs of pixels along the rows of a block, 3×N integers: the id of each run, the index of its first pixel in the
flattened block, and its length."""


@dataclass(frozen=True, eq=False)
class BlockObjects:
    """The objects of a block, with ids from 1 within the block, and the components that wait to be joined to others.

    Args:
        areas: for each id, its number of pixels; 0 if it has none.
        first_pixels: for each id, the index of its first pixel in the flattened image.
        waiting: ids of the components that can continue beyond the block, and the edges of the block.
        boxes: for each component that waits: top, left, bottom, right in the image.
    """

    areas: np.ndarray
    first_pixels: np.ndarray
    waiting: BlockEdges
    boxes: np.ndarray


def background_edges(maps: Maps, settings: Postprocessing, place: Box) -> BlockEdges:
    """Find the background components of a block that can continue beyond it.

    Args:
        maps: Y×X by name, of the whole image.
        settings: only their threshold is used.
        place: box of the block.
    """
    background = ComponentRuns.from_mask(~foreground_mask(np.asarray(maps["foreground"][place]), settings))
    return BlockEdges.of_block(background.label_image, np.flatnonzero(background.touches_border) + 1)


def label_block(
    maps: Maps,
    settings: Postprocessing,
    labels: WritableArray,
    place: Box,
    open_sides: Sides,
    outside: np.ndarray | None,
) -> BlockObjects:
    """Write the objects of a block, and the components that wait, with ids from 1.

    Args:
        maps: Y×X by name, of the whole image.
        settings: method, thresholds and holes, as for `label_objects`.
        labels: Y×X, where to write.
        place: box of the block.
        open_sides: sides on which the image continues.
        outside: numbers of the background components of this block that are not holes; None: holes are not filled.

    Returns:
        What the other blocks need to know.
    """
    block_maps = {name: np.asarray(maps[name][place]) for name in ("foreground", *settings.method.maps)}
    objects, waiting, boxes = divide_inner_components(block_maps, settings, open_sides, outside)
    areas, first_pixels = areas_and_first_pixels(*id_runs(objects))
    check_fits(len(areas) - 1, labels)
    labels[place] = objects
    top, left = place[0].start, place[1].start
    rows, columns = np.divmod(first_pixels, objects.shape[1])
    first_pixels = (top + rows) * labels.shape[1] + left + columns
    edges = BlockEdges.of_block(objects, waiting)
    return BlockObjects(areas[1:], first_pixels[1:], edges, boxes + np.array([top, left, top, left]))


def divide_inner_components(
    maps: Mapping[str, np.ndarray], settings: Postprocessing, open_sides: Sides, outside: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide the components of a block, except for those that can continue beyond it, which wait.

    Args:
        maps: Y×X by name, of the block.
        settings: method, thresholds and holes, as for `label_objects`.
        open_sides: sides on which the image continues.
        outside: numbers of the background components of this block that are not holes; None: holes are not filled.

    Returns:
        Y×X int32 with ids from 1, possibly with gaps, also for the components that wait; the ids of these, sorted; and
        for each of them top, left, bottom and right in the block.

    >>> maps = {"foreground": np.array([[0.9, 0.0, 0.9, 0.9]])}
    >>> divide_inner_components(maps, Postprocessing(fill_holes=False), (False, False, False, True), None)
    (array([[1, 0, 2, 2]], dtype=int32), array([2]), array([[0, 2, 1, 4]]))
    """
    method = settings.method
    mask = foreground_mask(maps["foreground"], settings)
    method_maps = {name: maps[name] for name in method.maps}
    for values in method_maps.values():
        check_probabilities(values)
    if outside is not None:
        mask = fill_holes(mask, ComponentRuns.from_mask(~mask), outside)
    none_waits: tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.intp), np.zeros((0, 4), np.intp))
    if not any(open_sides) or not mask.any():
        return method.divide(mask, method_maps), *none_waits
    components = ComponentRuns.from_mask(mask)
    (top, left), (bottom, right) = components.boxes[:, :2].T, components.boxes[:, 2:].T
    touches = np.array([top == 0, bottom == mask.shape[0], left == 0, right == mask.shape[1]])
    waits = touches[np.array(open_sides)].any(axis=0)
    if method.keeps_components:
        return components.label_image, np.flatnonzero(waits) + 1, components.boxes[waits]
    if not waits.any():
        return method.divide(mask, method_maps), *none_waits
    objects = method.divide(components.paint(np.append(False, ~waits)), method_maps)
    ids: np.ndarray = np.append(0, np.where(waits, np.cumsum(waits) + objects.max(), 0)).astype(np.int32)
    objects += components.paint(ids)
    return objects, ids[1:][waits], components.boxes[waits]


def write_id_runs(labels: WritableArray, place: Box, runs: IdRuns) -> None:
    """Write objects that cross the seams of a block over the components that waited.

    Args:
        labels: Y×X, as written by `label_block`.
        place: box of the block.
        runs: runs of the objects.
    """
    if runs.size:
        labels[place] = _with_id_runs(np.asarray(labels[place]), runs)


def write_final_ids(labels: SlicedArray, out: WritableArray, place: Box, runs: IdRuns, table: np.ndarray) -> None:
    """Write all objects of a block with their final ids, including those that cross its seams.

    Args:
        labels: Y×X, as written by `label_block`.
        out: Y×X, where to write; can be `labels` itself.
        place: box of the block.
        runs: runs of the objects that cross seams.
        table: the final id of each id of the block, from 0 on.
    """
    out[place] = look_up(table, _with_id_runs(np.asarray(labels[place]), runs))


def _with_id_runs(labels: np.ndarray, runs: IdRuns) -> np.ndarray:
    if not runs.size:
        return labels
    ids, starts, lengths = runs
    changed = np.array(labels, order="C")
    changed.reshape(-1)[run_pixels(starts, lengths)] = np.repeat(ids.astype(labels.dtype), lengths)
    return changed


def check_fits(highest: int, labels: SlicedArray) -> None:
    """Refuse ids that an array of labels cannot hold.

    Args:
        highest: highest id.
        labels: array that the ids will be written to.

    Raises:
        ValueError: the dtype of `labels` is too narrow.
    """
    dtype = np.dtype(labels.dtype)
    if highest > np.iinfo(dtype).max:
        raise ValueError(
            f"got {highest} objects in one block or image, counting small ones that are dropped, but {dtype} holds at "
            f"most {np.iinfo(dtype).max}; pass labels of uint32 or uint64"
        )
