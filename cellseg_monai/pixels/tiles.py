"""How an image is covered by overlapping tiles, and what each tile adds to a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["AxisTiles", "cover_axis"]


@dataclass(frozen=True)
class AxisTiles:
    """Tiles of one length that cover one axis of an image.

    Where two tiles overlap, one fades into the other: the quarter of the overlap at a tile's end counts nothing, as the
    network lacks context there, and over the middle half the weights are two ramps that add up to 1. So a pixel is
    what one tile says of it, or two that differ little; it needs no division by a sum of weights.

    Args:
        length: of the image.
        size: of every tile; the last may reach beyond the image.
        starts: where the tiles begin, ascending from 0.

    >>> tiles = cover_axis(24, size=16, overlap=8, multiple=8)
    >>> tiles.starts, tiles.weights(0).round(3).tolist()[8:]
    ((0, 8), [1.0, 1.0, 0.875, 0.625, 0.375, 0.125, 0.0, 0.0])
    """

    length: int
    size: int
    starts: tuple[int, ...]

    def weights(self, index: int) -> np.ndarray:
        """What each pixel of a tile counts, float32 of the tile's size; over all tiles every pixel counts 1."""
        # Each ramp begins and ends after the one before it, so that none of the differences is negative.
        weights = self._rise(index)
        if index < len(self.starts) - 1:
            shift = self.starts[index + 1] - self.starts[index]
            weights[shift:] -= self._rise(index + 1)[: self.size - shift]
        return weights

    def part(self, start: int, stop: int) -> tuple[slice, AxisTiles]:
        """The tiles that count something in some pixels, as those of a shorter axis, which begins where the first does.

        There, these pixels are the same sums of the same weights.

        Args:
            start: the first of the pixels.
            stop: one after the last.

        Returns:
            Which tiles they are, and the shorter axis.

        >>> cover_axis(24, size=16, overlap=8, multiple=8).part(14, 24)
        (slice(1, 2, None), AxisTiles(length=16, size=16, starts=(0,)))
        """
        having = [
            index
            for index, first in enumerate(self.starts)
            if self.weights(index)[max(start - first, 0) : max(stop - first, 0)].any()
        ]
        chosen = slice(having[0], having[-1] + 1)
        origin, end = self.starts[having[0]], min(self.starts[having[-1]] + self.size, self.length)
        return chosen, AxisTiles(end - origin, self.size, tuple(each - origin for each in self.starts[chosen]))

    def _rise(self, index: int) -> np.ndarray:
        """From 0 to 1 over the middle half of what a tile shares with the one before it."""
        rise: np.ndarray = np.ones(self.size, np.float32)
        if index > 0:
            overlap = self.starts[index - 1] + self.size - self.starts[index]
            quarter = overlap // 4
            ramp = overlap - 2 * quarter
            rise[:quarter] = 0
            rise[quarter : quarter + ramp] = (np.arange(ramp) + 0.5) / max(ramp, 1)
        return rise


def cover_axis(length: int, *, size: int, overlap: int, multiple: int) -> AxisTiles:
    """Tiles whose ends and starts are multiples, so that a network of that stride sees each as it sees the whole.

    Args:
        length: of the image, in pixels.
        size: of a tile, in pixels; rounded up to a multiple that leaves room for the overlap, and not longer than the
            image needs.
        overlap: of neighbouring tiles, in pixels, at least; at most half of a tile.
        multiple: the stride of the network, in pixels.

    Raises:
        ValueError: lengths that are not positive, or an overlap beyond half of a tile.

    >>> cover_axis(100, size=64, overlap=10, multiple=32)
    AxisTiles(length=100, size=64, starts=(0, 32, 64))
    >>> cover_axis(100, size=1024, overlap=64, multiple=32)
    AxisTiles(length=100, size=128, starts=(0,))
    """
    if min(length, size, multiple) < 1 or overlap < 0:
        raise ValueError(
            f"length {length}, size {size}, overlap {overlap} and multiple {multiple} came, but positive numbers of "
            "pixels were expected; correct the tile or the overlap"
        )
    if 2 * overlap > size:
        raise ValueError(
            f"an overlap of {overlap} px came for tiles of {size} px, but at most half was expected; take larger "
            f"tiles, or an overlap up to {size // 2}"
        )
    whole = -(-length // multiple) * multiple
    # A tile of one stride could not overlap the next, which begins a stride later.
    size = -(-max(size, multiple + overlap) // multiple) * multiple
    if size >= whole:
        return AxisTiles(length, whole, (0,))
    longest = (size - overlap) // multiple * multiple
    gaps = -(-(whole - size) // longest)
    # Spread evenly: what is more than asked for is shared among all.
    starts = (i * (whole - size) // gaps // multiple * multiple for i in range(gaps + 1))
    return AxisTiles(length, size, tuple(starts))
