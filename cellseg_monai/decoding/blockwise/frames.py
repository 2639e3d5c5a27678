"""Objects brought from the size of the maps to that of the image, block by block."""

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
    """Return the highest number in the tables of all blocks."""
    return max((int(table.max()) for table in tables), default=0)


def write_in_frame(
    labels: WritableArray, blocks: Blocks, tables: Sequence[np.ndarray], out: WritableArray, run: Run
) -> int:
    """Write objects into an array of another size, like `rescale_labels` and `relabel_sequential` in memory.

    Args:
        labels: Y×X, ids that are valid within each block.
        blocks: the blocks of `labels`.
        tables: for each block, the number of each of its ids, from 0 on.
        out: Y×X, where to write.
        run: calls a function for each block of `out`, as `map` does.

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
        # Shrinking can lose a small object, which leaves a gap in the numbers.
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
    """Return a part of the labels brought to another size by nearest neighbour.

    At most one block of the labels is read at a time, however much larger they are.

    Args:
        labels: Y×X, ids that are valid within each block.
        blocks: the blocks of `labels`.
        frame: (Y, X) of the other size.
        place: box of the part, at that size.
        tables: for the blocks that the part touches, by their number: the number of each of their ids, from 0 on.

    Returns:
        Y×X, the number at each pixel of the part.
    """
    rows, columns = _source_lines(blocks, frame, place)
    rescaled: np.ndarray = np.zeros((len(rows), len(columns)), next(iter(tables.values())).dtype)
    for number, source, _ in blocks.over(_box(rows, columns)):
        (top, bottom), (left, right) = _lines_in(rows, source[0]), _lines_in(columns, source[1])
        picked = np.ix_(rows[top:bottom] - source[0].start, columns[left:right] - source[1].start)
        rescaled[top:bottom, left:right] = look_up(tables[number], np.asarray(labels[source])[picked])
    return rescaled


def _source_lines(blocks: Blocks, frame: tuple[int, int], place: Box) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the labels that the rows and columns of a part are taken from."""
    (height, width), (rows, columns) = blocks.shape, place
    return nearest_pixels(height, frame[0])[rows], nearest_pixels(width, frame[1])[columns]


def _lines_in(lines: np.ndarray, side: slice) -> tuple[int, int]:
    """Return the range of the sorted rows or columns that lie within a side of a block."""
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
