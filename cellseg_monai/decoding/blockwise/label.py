"""Objects of images larger than memory, made block by block, the same as those of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from tempfile import TemporaryFile

import numpy as np

from cellseg_monai.boxes import Run, WritableArray
from cellseg_monai.decoding.blockwise.frames import highest_number, write_in_frame
from cellseg_monai.decoding.blockwise.grid import Blocks, Edges, groups_across
from cellseg_monai.decoding.blockwise.one_block import (
    Paint,
    background_edges,
    check_fits,
    label_block,
    number_block,
    paint_block,
)
from cellseg_monai.decoding.blockwise.seams import Parts, divide_across, join_across
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
    """Write the objects of `label_objects`, ids included, of an image that need not fit into memory.

    The background is joined across the blocks first, to know what is a hole. Then the foreground of each block is
    divided, but for pieces that touch a seam: these are read some at a time in the box around them, and divided whole.
    Ids are those of a block until each object is known from all of its blocks; a last pass gives it its number, and
    paints those that cross seams.

    Held in memory are some blocks, what lies along the seams, and about 100 bytes an object; besides, unless the method
    is `"components"`, the box around a piece that crosses a seam, and until the last pass 12 bytes for each stretch of
    pixels along a row that an object has of such pieces. Of confluent tissue, which hangs together all over
    the image, that is the whole image, at the cost of `label_objects`.

    Args:
        maps: Y×X floats in [0, 1] by name, as for `label_objects`.
        settings: as for `label_objects`.
        out: YX integers; uint32 holds the ids of any image. Of another size than the maps, it is the frame of the
            image, and the objects are brought to it by nearest neighbour.
        block_px: the side of a block. The result does not depend on it. Where blocks are written at once into a zarr
            array, a multiple of the sides of its chunks.
        scratch: YX integers of the size of the maps, for ids until the last pass; None: `out` itself, or a temporary
            file where that has another size. With an array of its own, whatever is done with one block may be done
            again: a process that is lost costs no more than that.
        run: how a function is called for each block, and its results brought back in order: `map`, or the `map` of a
            `concurrent.futures.Executor`. Threads take any arrays; other processes need some that are pickled as a
            reference to a file, as those of zarr, also for `scratch`. Pieces that cross seams are divided here.

    Returns:
        How many objects there are, which is the highest id.

    Raises:
        ValueError: a map that the method needs is missing, there are NaN or values outside [0, 1], or more ids than the
            dtype of `out` holds. The content of `out` is then of no use.

    >>> out = np.zeros((1, 7), np.uint32)
    >>> maps = {"foreground": np.array([[0.9, 0.9, 0.0, 0.6, 0.0, 0.7, 0.8]])}
    >>> label_in_blocks(maps, Postprocessing(min_area_px=2), out, block_px=1)
    2
    >>> out
    array([[1, 1, 0, 0, 0, 2, 2]], dtype=uint32)
    """
    check_maps(maps, settings.method.maps)
    if block_px < 1:
        raise ValueError(f"block_px={block_px} came, but a side of 1 pixel at least was expected; try 2048")
    for labels in (out,) if scratch is None else (out, scratch):
        if len(labels.shape) != 2 or np.dtype(labels.dtype).kind not in "iu":
            raise ValueError(
                f"an array of shape {tuple(labels.shape)} and {labels.dtype} came, but (Y, X) integers were expected; "
                "give one of uint32"
            )
    blocks = Blocks(shape_of_maps(maps), (block_px, block_px))
    if scratch is not None and tuple(scratch.shape) != blocks.shape:
        raise ValueError(
            f"scratch of shape {tuple(scratch.shape)} came, but that of the maps, {blocks.shape}, was expected; give "
            "one for this image, or none"
        )
    with TemporaryFile() as file:
        labels = out if scratch is None else scratch
        if tuple(labels.shape) != blocks.shape:
            labels = np.memmap(file, np.uint32, shape=blocks.shape) if blocks.places else np.zeros(blocks.shape, int)
        tables, paints = _label(maps, settings, labels, blocks, run)
        if tuple(out.shape) != blocks.shape:
            list(run(partial(paint_block, labels), blocks.places, paints))
            return write_in_frame(labels, blocks, tables, out, run)
        count = highest_number(tables)
        check_fits(count, out)
        tables = [table.astype(out.dtype) for table in tables]
        list(run(partial(number_block, labels, out), blocks.places, paints, tables))
        return count


def _label(
    maps: Maps, settings: Postprocessing, labels: WritableArray, blocks: Blocks, run: Run
) -> tuple[list[np.ndarray], list[Paint]]:
    """Write ids, and return for each block the number of each of its ids, from 0 on, and what is to be painted over."""
    places, sides = blocks.places, [blocks.sides_inside(place) for place in blocks.places]
    outside: Sequence[np.ndarray | None] = [None] * len(places)
    if settings.fill_holes:
        outside = _open_background(list(run(partial(background_edges, maps, settings), places)), blocks)
    found = list(run(partial(label_block, maps, settings, labels), places, sides, outside))
    groups = groups_across(blocks, [block.waiting for block in found])
    if settings.method.keeps_components:
        parts = join_across(found, groups)
    else:
        parts = divide_across(maps, settings, labels, blocks, found, groups)
    numbers = _numbers(parts, settings.min_area_px)
    return [np.append(0, numbers[part.table[0]]) for part in parts], [part.take_paint() for part in parts]


def _open_background(found: Sequence[Edges], blocks: Blocks) -> list[np.ndarray]:
    """For each block, which pieces of its background reach the border of the image, however far away."""
    groups = groups_across(blocks, found)
    is_open: np.ndarray = np.zeros(sum(len(edge.numbers) for edge in found), bool)
    for edge, group, place in zip(found, groups, blocks.places, strict=True):
        for line, goes_on in zip(edge.lines, blocks.sides_inside(place), strict=True):
            if not goes_on:
                is_open[group[np.searchsorted(edge.numbers, line[line > 0])]] = True
    return [edge.numbers[is_open[group]] for edge, group in zip(found, groups, strict=True)]


def _numbers(parts: Sequence[Parts], min_area_px: int) -> np.ndarray:
    """The number of each object; 0 for small ones."""
    objects, areas, firsts = np.concatenate([np.zeros((3, 0), np.int64), *(part.table for part in parts)], axis=1)
    area_of: np.ndarray = np.zeros(objects.max(initial=-1) + 1, np.int64)
    np.add.at(area_of, objects, areas)
    first_of = np.full_like(area_of, np.iinfo(np.int64).max)
    np.minimum.at(first_of, objects, firsts)
    return numbers_in_order(area_of, first_of, min_area_px)
