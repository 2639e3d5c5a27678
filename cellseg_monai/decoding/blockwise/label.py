"""`label_in_blocks`, which runs the passes over the blocks and joins their results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from tempfile import TemporaryFile

import numpy as np

from cellseg_monai.boxes import Run, WritableArray
from cellseg_monai.decoding.blockwise.frames import highest_number, write_in_frame
from cellseg_monai.decoding.blockwise.grid import BlockEdges, Blocks, groups_across
from cellseg_monai.decoding.blockwise.one_block import (
    IdRuns,
    background_edges,
    check_fits,
    label_block,
    write_final_ids,
    write_id_runs,
)
from cellseg_monai.decoding.blockwise.seams import ObjectParts, divide_across, join_across
from cellseg_monai.decoding.maps import Maps, check_maps, shape_of_maps
from cellseg_monai.decoding.numbering import numbers_in_order
from cellseg_monai.decoding.postprocess import Postprocessing

__all__ = ["label_in_blocks"]


def label_in_blocks(
    maps: Maps,
    settings: Postprocessing,
    out: WritableArray,
    *,
    block_px: int = 2048,
    scratch: WritableArray | None = None,
    run: Run = map,
) -> int:
    """Label an image that need not fit into memory, with the same result as `label_objects`.

    First, background components are joined across blocks to find the holes. Next, the foreground of each block is
    divided, except for components that touch a seam. Groups of these components are then read in the box around each
    group and divided as a whole. Up to this point, ids are valid only within a block. A last pass writes the final ids
    and the objects that cross seams.

    Memory holds a few blocks, the pixels along the seams, and about 100 bytes per object. With any method except
    `"components"`, memory also holds the box around a group of components that cross seams and, until the last pass, 12
    bytes for each run of pixels in the objects from these groups. Confluent tissue is connected throughout the image,
    so its box is the whole image, and memory use is that of `label_objects`.

    Args:
        maps: Y×X floats in [0, 1] by name: `foreground`, and the maps that the method needs; see `Maps`.
        settings: method, thresholds, hole filling and smallest area.
        out: Y×X integer output array; uint32 is enough for any image. If its shape differs from that of the maps, the
            labels are resized to the shape of `out` by nearest neighbour.
        block_px: side of a block, in pixels. It does not affect the result. When several blocks are written to a Zarr
            array concurrently, use a multiple of the array's chunk sides.
        scratch: Y×X integer array with the shape of the maps, which holds ids until the last pass. If None, ids are
            held in `out`, or in a temporary file if `out` has another shape. With a separate array, the work on any
            block can be repeated, for example after a worker process is lost.
        run: function that calls another function for each block and returns the results in order, like `map` or the
            `map` of a `concurrent.futures.Executor`. Threads work with any arrays. Processes need arrays that are
            pickled as a reference to a file, as Zarr arrays are; this includes `scratch`. Components that cross seams
            are always divided in the calling process.

    Returns:
        The number of objects, which is the highest id.

    Raises:
        ValueError: a map that the method needs is missing, a value is NaN or outside [0, 1], or the dtype of `out` is
            too narrow for the ids. The contents of `out` are then undefined.

    >>> out = np.zeros((1, 7), np.uint32)
    >>> maps = {"foreground": np.array([[0.9, 0.9, 0.0, 0.6, 0.0, 0.7, 0.8]])}
    >>> label_in_blocks(maps, Postprocessing(min_area_px=2), out, block_px=1)
    2
    >>> out
    array([[1, 1, 0, 0, 0, 2, 2]], dtype=uint32)
    """
    check_maps(maps, settings.method.maps)
    if block_px < 1:
        raise ValueError(f"got block_px={block_px}, expected a whole number of at least 1; try 2048")
    for labels in (out,) if scratch is None else (out, scratch):
        if len(labels.shape) != 2 or np.dtype(labels.dtype).kind not in "iu":
            raise ValueError(
                f"got a {labels.dtype} array of shape {tuple(labels.shape)}, expected integers with axes (Y, X); pass "
                "a uint32 array"
            )
    blocks = Blocks(shape_of_maps(maps), (block_px, block_px))
    if scratch is not None and tuple(scratch.shape) != blocks.shape:
        raise ValueError(
            f"got scratch of shape {tuple(scratch.shape)}, expected {blocks.shape}, the shape of the maps; pass an "
            "array of that shape, or None"
        )
    with TemporaryFile() as file:
        labels = out if scratch is None else scratch
        if tuple(labels.shape) != blocks.shape:
            labels = np.memmap(file, np.uint32, shape=blocks.shape) if blocks.places else np.zeros(blocks.shape, int)
        tables, crossing = _label(maps, settings, labels, blocks, run)
        if tuple(out.shape) != blocks.shape:
            list(run(partial(write_id_runs, labels), blocks.places, crossing))
            return write_in_frame(labels, blocks, tables, out, run)
        count = highest_number(tables)
        check_fits(count, out)
        tables = [table.astype(out.dtype) for table in tables]
        list(run(partial(write_final_ids, labels, out), blocks.places, crossing, tables))
        return count


def _label(
    maps: Maps, settings: Postprocessing, labels: WritableArray, blocks: Blocks, run: Run
) -> tuple[list[np.ndarray], list[IdRuns]]:
    """Label each block with ids that are valid only within that block.

    Returns:
        Two lists with one entry per block. The first holds arrays that map the block's ids to final object numbers. The
        second holds the runs of objects that cross the block's seams, which have not been written yet.
    """
    places, open_sides = blocks.places, [blocks.open_sides(place) for place in blocks.places]
    outside: Sequence[np.ndarray | None] = [None] * len(places)
    if settings.fill_holes:
        outside = _outer_background(list(run(partial(background_edges, maps, settings), places)), blocks)
    block_objects = list(run(partial(label_block, maps, settings, labels), places, open_sides, outside))
    groups = groups_across(blocks, [block.waiting for block in block_objects])
    if settings.method.keeps_components:
        parts = join_across(block_objects, groups)
    else:
        parts = divide_across(maps, settings, labels, blocks, block_objects, groups)
    numbers = _final_numbers(parts, settings.min_area_px)
    return [np.append(0, numbers[part.table[0]]) for part in parts], [part.take_runs() for part in parts]


def _outer_background(edges: Sequence[BlockEdges], blocks: Blocks) -> list[np.ndarray]:
    """Return the background components of each block that are connected to the border of the image."""
    groups = groups_across(blocks, edges)
    is_outer: np.ndarray = np.zeros(sum(len(edge.numbers) for edge in edges), bool)
    for edge, group, place in zip(edges, groups, blocks.places, strict=True):
        for line, continues in zip(edge.lines, blocks.open_sides(place), strict=True):
            if not continues:
                is_outer[group[np.searchsorted(edge.numbers, line[line > 0])]] = True
    return [edge.numbers[is_outer[group]] for edge, group in zip(edges, groups, strict=True)]


def _final_numbers(parts: Sequence[ObjectParts], min_area_px: int) -> np.ndarray:
    """Return the final number of each object, which is 0 for small objects, from its parts in all blocks."""
    objects, areas, first_pixels = np.concatenate([np.zeros((3, 0), np.int64), *(part.table for part in parts)], axis=1)
    total_areas: np.ndarray = np.zeros(objects.max(initial=-1) + 1, np.int64)
    np.add.at(total_areas, objects, areas)
    earliest = np.full_like(total_areas, np.iinfo(np.int64).max)
    np.minimum.at(earliest, objects, first_pixels)
    return numbers_in_order(total_areas, earliest, min_area_px)
