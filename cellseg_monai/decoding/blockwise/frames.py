"""Resize labels from the size of the maps to the size of the image, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from cellseg_monai.boxes import Box, Run, WritableArray
from cellseg_monai.decoding.blockwise.grid import Blocks
from cellseg_monai.decoding.blockwise.one_block import check_fits
from cellseg_monai.labels.relabel import id_runs, look_up
from cellseg_monai.pixels.scale import nearest_pixels

__all__ = ["highest_number", "rescaled_block", "write_in_frame"]

Tables = Mapping[int, np.ndarray]


def highest_number(tables: Sequence[np.ndarray]) -> int:
    """Return the highest object number in the tables of all blocks, or 0 if there are no blocks."""
    return max((int(table.max()) for table in tables), default=0)


def write_in_frame(
    labels: WritableArray, blocks: Blocks, tables: Sequence[np.ndarray], out: WritableArray, run: Run
) -> int:
    """Write labels into an array of another size, like `rescale_labels` followed by `relabel_sequential`.

    Args:
        labels: Y×X, ids that are valid only within each block.
        blocks: the blocks of `labels`.
        tables: one array per block, which maps each of the block's ids to an object number.
        out: Y×X output array.
        run: function that calls another function for each block of `out`, like `map`.

    Returns:
        The number of objects.
    """
    frame = (out.shape[0], out.shape[1])
    places = Blocks(frame, blocks.sides).places
    if 0 in blocks.shape:
        for place in places:
            out[place] = 0
        return 0
    highest = highest_number(tables)
    if any(new < old for new, old in zip(frame, blocks.shape, strict=True)):
        # A small object can vanish when the image shrinks, which leaves a gap in the numbers.
        present: np.ndarray = np.zeros(highest + 1, bool)
        needed = [_needed(blocks, frame, place, tables) for place in places]
        for numbers in run(partial(_numbers_of_block, labels, blocks, frame), places, needed):
            present[numbers] = True
        present[0] = False
        without_gaps = np.cumsum(present) * present
        tables, highest = [without_gaps[table] for table in tables], int(present.sum())
    check_fits(highest, out)
    tables = [table.astype(out.dtype) for table in tables]
    needed = [_needed(blocks, frame, place, tables) for place in places]
    list(run(partial(_write_block, labels, blocks, out), places, needed))
    return highest


def rescaled_block(
    labels: WritableArray, blocks: Blocks, frame: tuple[int, int], place: Box, tables: Tables
) -> np.ndarray:
    """Return part of the labels, resized by nearest neighbour.

    Labels are read one block at a time, so memory use stays low however large `labels` is.

    Args:
        labels: Y×X, ids that are valid only within each block.
        blocks: the blocks of `labels`.
        frame: (Y, X) of the resized labels.
        place: box of the requested part in the resized labels.
        tables: arrays that map a block's ids to object numbers, keyed by block number; one for each block that the part
            touches.

    Returns:
        Y×X, the object number at each pixel of the part.
    """
    rows, columns = _source_lines(blocks, frame, place)
    rescaled: np.ndarray = np.zeros((len(rows), len(columns)), next(iter(tables.values())).dtype)
    for number, source, _ in blocks.over(_box(rows, columns)):
        (top, bottom), (left, right) = _lines_in(rows, source[0]), _lines_in(columns, source[1])
        picked = np.ix_(rows[top:bottom] - source[0].start, columns[left:right] - source[1].start)
        rescaled[top:bottom, left:right] = look_up(tables[number], np.asarray(labels[source])[picked])
    return rescaled


def _source_lines(blocks: Blocks, frame: tuple[int, int], place: Box) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the labels from which a part of the resized labels is sampled."""
    (height, width), (rows, columns) = blocks.shape, place
    return nearest_pixels(height, frame[0])[rows], nearest_pixels(width, frame[1])[columns]


def _lines_in(lines: np.ndarray, side: slice) -> tuple[int, int]:
    """Return the index range of the sorted rows or columns that lie within one side of a block."""
    return int(np.searchsorted(lines, side.start)), int(np.searchsorted(lines, side.stop))


def _box(rows: np.ndarray, columns: np.ndarray) -> Box:
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _needed(blocks: Blocks, frame: tuple[int, int], place: Box, tables: Sequence[np.ndarray]) -> Tables:
    return {number: tables[number] for number, _, _ in blocks.over(_box(*_source_lines(blocks, frame, place)))}


def _numbers_of_block(
    labels: WritableArray, blocks: Blocks, frame: tuple[int, int], place: Box, tables: Tables
) -> np.ndarray:
    return np.unique(id_runs(rescaled_block(labels, blocks, frame, place, tables))[0])


def _write_block(labels: WritableArray, blocks: Blocks, out: WritableArray, place: Box, tables: Tables) -> None:
    out[place] = rescaled_block(labels, blocks, (out.shape[0], out.shape[1]), place, tables)
