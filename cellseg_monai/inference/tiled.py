"""What a network says of a whole image, tile by tile: the one way, for images of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from cellseg_monai.inference.ahead import ahead
from cellseg_monai.pixels import AxisTiles, cover_axis

__all__ = ["Network", "Read", "Tiles", "predict", "predict_bands"]

Network = Callable[[np.ndarray], np.ndarray]
"""From a batch of tiles, B×C×Y×X float32, to logits, B×K×Y×X float32."""

Read = Callable[[slice, slice], np.ndarray]
"""From rows and columns within the image to its prepared pixels there, C×Y×X float32."""


@dataclass(frozen=True)
class Tiles:
    """How images are cut for a network.

    Args:
        size: (Y, X) of a tile, in pixels; an image that is not larger is one tile.
        overlap: of neighbouring tiles, in pixels, at least.
        multiple: tiles begin and end at multiples of it, in pixels, images being continued by replication: the stride
            of the network.
        batch: tiles that the network sees at once.

    Raises:
        ValueError: no tiles, or an overlap beyond half of one.

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
                f"tiles of {self.size} px, multiples of {self.multiple} and {self.batch} at once came, but numbers "
                "from 1 were expected; correct the tile"
            )
        if not 0 <= 2 * self.overlap <= min(self.size):
            raise ValueError(
                f"an overlap of {self.overlap} px came for tiles of {self.size} px, but 0 to half a tile was expected; "
                f"take larger tiles, or an overlap up to {min(self.size) // 2}"
            )

    def cover(self, shape: tuple[int, int]) -> tuple[AxisTiles, AxisTiles]:
        """The tiles of an image of this shape, along Y and along X."""
        rows, columns = (
            cover_axis(length, size=size, overlap=self.overlap, multiple=self.multiple)
            for length, size in zip(shape, self.size, strict=True)
        )
        return rows, columns


def predict(pixels: np.ndarray, network: Network, tiles: Tiles) -> np.ndarray:
    """Logits of a whole image.

    Args:
        pixels: CYX float32, prepared.
        network: see `Network`.
        tiles: how the image is cut.

    Returns:
        KYX float32.

    >>> predict(np.ones((1, 3, 5), np.float32), lambda batch: 2 * batch, Tiles((32, 32))).shape
    (1, 3, 5)
    """
    shape = (pixels.shape[1], pixels.shape[2])
    bands = predict_bands(lambda rows, columns: pixels[:, rows, columns], shape, network, tiles)
    return np.concatenate([band for _, band in bands], axis=1)


def predict_bands(
    read: Read, shape: tuple[int, int], network: Network, tiles: Tiles
) -> Iterator[tuple[int, np.ndarray]]:
    """Logits of an image, band by band from the top: no more of it is held than one row of tiles.

    Tiles are read ahead of the network, in a thread.

    Args:
        read: see `Read`.
        shape: (Y, X) of the image.
        network: see `Network`.
        tiles: how the image is cut.

    Yields:
        The first row of a band, and its logits, KYX float32 of the image's width.
    """
    down, across = tiles.cover(shape)
    along_x = [across.weights(column) for column in range(len(across.starts))]
    batches = ahead(_batches(read, down, across, tiles.batch))
    answers = (
        (place, logits) for places, batch in batches for place, logits in zip(places, network(batch), strict=True)
    )
    kept: np.ndarray | None = None
    for row, start in enumerate(down.starts):
        band: np.ndarray | None = None
        for (_, column), logits in islice(answers, len(across.starts)):
            if band is None:
                band = np.zeros((len(logits), down.size, across.starts[-1] + across.size), np.float32)
            left = across.starts[column]
            band[:, :, left : left + across.size] += logits * along_x[column]
        assert band is not None
        band *= down.weights(row)[:, np.newaxis]
        if kept is not None:
            band[:, : kept.shape[1]] += kept
        end = down.starts[row + 1] if row + 1 < len(down.starts) else down.length
        yield start, band[:, : end - start, : across.length]
        kept = band[:, end - start :]


def _batches(
    read: Read, down: AxisTiles, across: AxisTiles, count: int
) -> Iterator[tuple[list[tuple[int, int]], np.ndarray]]:
    places = ((row, column) for row in range(len(down.starts)) for column in range(len(across.starts)))
    while chosen := list(islice(places, count)):
        yield chosen, np.stack([_tile(read, (down, across), place) for place in chosen])


def _tile(read: Read, axes: tuple[AxisTiles, AxisTiles], place: tuple[int, int]) -> np.ndarray:
    windows = [
        slice(axis.starts[index], min(axis.starts[index] + axis.size, axis.length))
        for axis, index in zip(axes, place, strict=True)
    ]
    pixels = read(windows[0], windows[1])
    beyond = [(0, axis.size - length) for axis, length in zip(axes, pixels.shape[1:], strict=True)]
    return np.pad(pixels, [(0, 0), *beyond], mode="edge") if any(map(any, beyond)) else pixels
