"""Running a network on an image of any size, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from cellseg_monai.pixels import AxisTiles, cover_axis
from cellseg_monai.prefetch import prefetch

if TYPE_CHECKING:
    from cellseg_monai.inference.lanes import Lanes

__all__ = ["Network", "Read", "Tiles", "blend", "predict", "predict_windows", "read_tile"]

Network = Callable[[np.ndarray], np.ndarray]
"""A function from a batch of tiles, B×C×Y×X float32, to logits, B×K×Y×X float32."""

Read = Callable[[slice, slice], np.ndarray]
"""A function from a range of rows and columns in the image to the prepared pixels there, C×Y×X float32."""


@dataclass(frozen=True)
class Tiles:
    """The settings for cutting images into tiles for a network.

    Args:
        size: (Y, X) of a tile in pixels; a smaller image fits in a single tile.
        overlap: minimum overlap of neighbouring tiles, in pixels.
        multiple: stride of the network, in pixels. Tiles start and end at multiples of the stride; if necessary, the
            image is extended by repeating its edge pixels.
        batch: number of tiles in a batch.

    Raises:
        ValueError: a size, the stride or the batch is not positive, the overlap is negative, or it exceeds half a tile.

    >>> Tiles((64, 64)).cover((100, 64))[0].starts
    (0, 32, 64)
    """

    size: tuple[int, int]
    overlap: int = 16
    multiple: int = 32
    batch: int = 4

    def __post_init__(self) -> None:
        if min(*self.size, self.multiple, self.batch) < 1:
            raise ValueError(
                f"got tiles of {self.size} px, multiples of {self.multiple} px and batches of {self.batch}, expected "
                "whole numbers of at least 1; fix the tile settings"
            )
        if not 0 <= 2 * self.overlap <= min(self.size):
            raise ValueError(
                f"got an overlap of {self.overlap} px for tiles of {self.size} px, expected between 0 and half a tile; "
                f"use larger tiles, or an overlap of at most {min(self.size) // 2} px"
            )

    def cover(self, shape: tuple[int, int]) -> tuple[AxisTiles, AxisTiles]:
        """Return the tiles that cover an image of the given (Y, X) shape, along Y and along X."""
        rows, columns = (
            cover_axis(length, size=size, overlap=self.overlap, multiple=self.multiple)
            for length, size in zip(shape, self.size, strict=True)
        )
        return rows, columns


def predict(pixels: np.ndarray, network: Network, tiles: Tiles, lanes: Lanes | None = None) -> np.ndarray:
    """Run a network on a whole image, tile by tile, and return the logits.

    Args:
        pixels: the prepared image, C×Y×X float32.
        network: the network; see `Network`.
        tiles: how to cut the image into tiles.
        lanes: threads in which to run the network; None for the current thread.

    Returns:
        The logits, K×Y×X float32.

    >>> predict(np.ones((1, 3, 5), np.float32), lambda batch: 2 * batch, Tiles((32, 32))).shape
    (1, 3, 5)
    """
    shape = (pixels.shape[1], pixels.shape[2])
    whole: np.ndarray | None = None
    for rows, columns, logits in predict_windows(lambda y, x: pixels[:, y, x], shape, network, tiles, lanes):
        if logits.shape[1:] == shape:
            return logits
        if whole is None:
            whole = np.empty((len(logits), *shape), np.float32)
        whole[:, rows, columns] = logits
    assert whole is not None
    return whole


def predict_windows(
    read: Read, shape: tuple[int, int], network: Network, tiles: Tiles, lanes: Lanes | None = None
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Run a network on an image, and yield the logits window by window.

    Only the overlaps of earlier tiles are kept in memory. A thread reads tiles ahead of the network.

    Args:
        read: function that reads pixels of the image; see `Read`.
        shape: (Y, X) of the image.
        network: the network; see `Network`.
        tiles: how to cut the image into tiles.
        lanes: threads in which to run the network; None for the current thread.

    Yields:
        The rows and columns of a window, and its logits, K×Y×X float32. Together, the windows cover the image exactly
        once.
    """
    down, across = tiles.cover(shape)
    with closing(prefetch(_batches(read, down, across, tiles.batch))) as batches:
        answers = map(network, batches) if lanes is None else lanes.answers(network, batches)
        yield from blend((logits for answer in answers for logits in answer), down, across)


def blend(
    answers: Iterable[np.ndarray], down: AxisTiles, across: AxisTiles
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Blend the logits of overlapping tiles, and yield each window as soon as no later tile reaches into it.

    Args:
        answers: logits of each tile, K×Y×X float32, in row-major order.
        down: the tiles along Y.
        across: the tiles along X.

    Yields:
        The rows and columns of a window, and its logits, K×Y×X float32. Together, the windows cover the image exactly
        once.

    >>> down, across = Tiles((32, 32), multiple=16).cover((3, 48))
    >>> for _, columns, logits in blend([np.zeros((1, 16, 32)), np.ones((1, 16, 32))], down, across):
    ...     print(columns.start, columns.stop, logits[0, 0, ::6].astype(float).round(2).tolist())
    0 16 [0.0, 0.0, 0.0]
    16 48 [0.0, 0.31, 1.0, 1.0, 1.0, 1.0]
    """
    if len(down.starts) == len(across.starts) == 1:
        (logits,) = answers
        yield slice(0, down.length), slice(0, across.length), logits[:, : down.length, : across.length]
        return
    down_to, across_to = _ends(down), _ends(across)
    down_weights, across_weights = (
        [axis.weights(number) for number in range(len(axis.starts))] for axis in (down, across)
    )
    places = product(range(len(down.starts)), range(len(across.starts)))
    left_overlap: np.ndarray | None = None  # weighted logits of the tile to the left, where it overlaps this tile
    above: np.ndarray  # weighted logits of the previous row of tiles, where it overlaps this row
    below: np.ndarray | None = None  # weighted logits of this row, where it overlaps the next row
    for (row, column), logits in zip(places, answers, strict=True):
        top, left = down.starts[row], across.starts[column]
        if column == 0:
            above = (
                below if below is not None else np.zeros((len(logits), 0, across.starts[-1] + across.size), np.float32)
            )
            kept = top + down.size - down_to[row]
            below = np.empty((len(logits), kept, above.shape[2]), np.float32)
        assert below is not None
        summed: np.ndarray = logits.astype(np.float32)
        _weigh(summed, across_weights[column])
        if left_overlap is not None:
            summed[:, :, : left_overlap.shape[2]] += left_overlap
        width, height = across_to[column] - left, down_to[row] - top
        # Beyond `width`, the last tile of a row lies outside the image.
        left_overlap = summed[:, :, width:] if column + 1 < len(across.starts) else None
        done = summed[:, :, :width]
        _weigh(done, down_weights[row], axis=1)
        done[:, : above.shape[1]] += above[:, :, left : left + width]
        below[:, :, left : left + width] = done[:, height:]
        yield slice(top, top + height), slice(left, left + width), done[:, :height]


def _weigh(values: np.ndarray, weights: np.ndarray, axis: int = 2) -> None:
    """Multiply K×Y×X values in place by weights along an axis, skipping weights of 1, which most pixels have."""
    along = np.moveaxis(values, axis, 2)
    ones = np.flatnonzero(weights == 1)  # they are contiguous, because weights rise to 1 and then fall
    head, tail = (int(ones[0]), int(ones[-1]) + 1) if len(ones) else (len(weights), len(weights))
    along[:, :, :head] *= weights[:head]
    along[:, :, tail:] *= weights[tail:]


def _ends(axis: AxisTiles) -> list[int]:
    """Return the end of each window, which is the start of the next tile or the end of the image."""
    return [*axis.starts[1:], axis.length]


def _batches(read: Read, down: AxisTiles, across: AxisTiles, count: int) -> Iterator[np.ndarray]:
    places = ((row, column) for row in range(len(down.starts)) for column in range(len(across.starts)))
    while chosen := list(islice(places, count)):
        yield np.stack([read_tile(read, (down, across), place) for place in chosen])


def read_tile(read: Read, axes: tuple[AxisTiles, AxisTiles], place: tuple[int, int]) -> np.ndarray:
    """Read the pixels of a tile, repeating the edge pixels of the image where the tile extends beyond it.

    Args:
        read: function that reads pixels of the image; see `Read`.
        axes: the tiles along Y and along X.
        place: index of the tile along Y and along X.
    """
    windows = [
        slice(axis.starts[index], min(axis.starts[index] + axis.size, axis.length))
        for axis, index in zip(axes, place, strict=True)
    ]
    pixels = read(windows[0], windows[1])
    beyond = [(0, axis.size - length) for axis, length in zip(axes, pixels.shape[1:], strict=True)]
    return np.pad(pixels, [(0, 0), *beyond], mode="edge") if any(map(any, beyond)) else pixels
