"""Process a single block of an image, and return results that are later combined with those of other blocks."""

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
"""One flag for each side of a block: above, below, left and right."""

IdRuns = np.ndarray
"""Runs of pixels along the rows of a block, as 3×N integers.

The rows hold the id of each run, the index of its first pixel in the flattened block, and its length.
"""


@dataclass(frozen=True, eq=False)
class BlockObjects:
    """The objects in a block, and its open components, which can continue beyond the block.

    Objects and open components share one set of ids, which start at 1 in each block.

    Args:
        areas: number of pixels of each id; 0 for an id that does not occur.
        first_pixels: index of the first pixel of each id in the flattened image.
        waiting: ids of the open components, and the edges of the block.
        boxes: top, left, bottom and right of each open component in the image.
    """

    areas: np.ndarray
    first_pixels: np.ndarray
    waiting: BlockEdges
    boxes: np.ndarray


def background_edges(maps: Maps, settings: Postprocessing, place: Box) -> BlockEdges:
    """Find the background components that can continue beyond a block.

    Args:
        maps: Y×X maps of the whole image, by name.
        settings: post-processing settings; only the threshold is used.
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
    """Write the objects and the open components of a block, with ids that start at 1.

    Args:
        maps: Y×X maps of the whole image, by name.
        settings: post-processing settings.
        labels: Y×X output array, the size of the whole image.
        place: box of the block.
        open_sides: True for each side on which the image continues.
        outside: numbers of this block's background components that are not holes; None if holes are not filled.

    Returns:
        The objects, and the open components, which have yet to be joined to those in other blocks.
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
    """Divide the components of a block, except for open components, which can continue beyond the block.

    Args:
        maps: Y×X maps of the block, by name.
        settings: post-processing settings.
        open_sides: True for each side on which the image continues.
        outside: numbers of this block's background components that are not holes; None if holes are not filled.

    Returns:
        Three arrays. The first is Y×X int32 with the positive ids of objects and open components, possibly with gaps.
        The second holds the sorted ids of the open components. The third is N×4, the top, left, bottom and right of
        each open component in the block.

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
    """Overwrite the open components of a block with the objects that they were divided into.

    Args:
        labels: Y×X, as written by `label_block`; changed in place.
        place: box of the block.
        runs: runs of the new objects in the block.
    """
    if runs.size:
        labels[place] = _with_id_runs(np.asarray(labels[place]), runs)


def write_final_ids(labels: SlicedArray, out: WritableArray, place: Box, runs: IdRuns, table: np.ndarray) -> None:
    """Write the final ids of all objects in a block, including those that cross its seams.

    Args:
        labels: Y×X, as written by `label_block`.
        out: Y×X output array; can be `labels` itself.
        place: box of the block.
        runs: runs of the objects that cross seams.
        table: final ids, indexed by the ids of the block.
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
    """Check that an array of labels can hold all ids.

    Args:
        highest: highest id.
        labels: array that the ids will be written to.

    Raises:
        ValueError: the dtype of `labels` is too narrow.
    """
    dtype = np.dtype(labels.dtype)
    if highest > np.iinfo(dtype).max:
        raise ValueError(
            f"got {highest} objects, counting small ones to be dropped, but {dtype} holds ids only up to "
            f"{np.iinfo(dtype).max}; pass a uint32 or uint64 array"
        )
