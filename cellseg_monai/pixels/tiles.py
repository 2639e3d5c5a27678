"""Overlapping tiles that cover an image, and the weight of each tile at each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["AxisTiles", "cover_axis"]


@dataclass(frozen=True)
class AxisTiles:
    """Tiles of equal length that cover one axis of an image.

    Where two tiles overlap, one fades into the other. Each tile has weight 0 in the outer quarter of the overlap,
    because the network lacks context there. In the middle half, the weights of the two tiles are ramps that add up to
    1. The result at a pixel is therefore the value from one tile or a weighted mean of two similar values, and need not
    be divided by a sum of weights.

    Args:
        length: length of the image along this axis.
        size: length of each tile; the last tile can extend beyond the image.
        starts: start of each tile, in increasing order; the first is 0.

    >>> tiles = cover_axis(24, size=16, overlap=8, multiple=8)
    >>> tiles.starts, tiles.weights(0).round(3).tolist()[8:]
    ((0, 8), [1.0, 1.0, 0.875, 0.625, 0.375, 0.125, 0.0, 0.0])
    """

    length: int
    size: int
    starts: tuple[int, ...]

    def weights(self, index: int) -> np.ndarray:
        """Return the weight of a tile at each of its pixels, as float32.

        At each pixel of the image, the weights of all tiles add up to 1.

        Args:
            index: index of the tile.
        """
        # Each ramp begins and ends later than the previous ramp, so no difference is negative.
        weights = self._ramp(index)
        if index < len(self.starts) - 1:
            shift = self.starts[index + 1] - self.starts[index]
            weights[shift:] -= self._ramp(index + 1)[: self.size - shift]
        return weights

    def part(self, start: int, stop: int) -> tuple[slice, AxisTiles]:
        """Find the tiles that contribute to a range of pixels.

        The result includes a shorter axis that contains only these tiles and starts where the first of them starts.
        Pixels in the range have the same weights on both axes.

        Args:
            start: first pixel of the range.
            stop: pixel after the end of the range.

        Returns:
            The index range of the tiles, and the shorter axis.

        >>> cover_axis(24, size=16, overlap=8, multiple=8).part(14, 24)
        (slice(1, 2, None), AxisTiles(length=16, size=16, starts=(0,)))
        """
        contributing = [
            index
            for index, begin in enumerate(self.starts)
            if self.weights(index)[max(start - begin, 0) : max(stop - begin, 0)].any()
        ]
        first_tile, last_tile = contributing[0], contributing[-1]
        tiles = slice(first_tile, last_tile + 1)
        origin, end = self.starts[first_tile], min(self.starts[last_tile] + self.size, self.length)
        return tiles, AxisTiles(end - origin, self.size, tuple(begin - origin for begin in self.starts[tiles]))

    def _ramp(self, index: int) -> np.ndarray:
        """Return weights that rise from 0 to 1 over the middle half of the overlap with the previous tile."""
        weights: np.ndarray = np.ones(self.size, np.float32)
        if index > 0:
            overlap = self.starts[index - 1] + self.size - self.starts[index]
            quarter = overlap // 4
            middle = overlap - 2 * quarter
            weights[:quarter] = 0
            weights[quarter : quarter + middle] = (np.arange(middle) + 0.5) / max(middle, 1)
        return weights


def cover_axis(length: int, *, size: int, overlap: int, multiple: int) -> AxisTiles:
    """Cover one axis of an image with overlapping tiles.

    Tiles start and end at multiples of the network's stride, so the network sees the same grid as in the whole image.

    Args:
        length: length of the image along this axis, in pixels.
        size: length of a tile, in pixels. The length is rounded up to a multiple of the stride that leaves room for the
            overlap, and limited to the length that the image needs.
        overlap: minimum overlap of adjacent tiles, in pixels; at most half a tile.
        multiple: stride of the network, in pixels.

    Raises:
        ValueError: a length is not positive, or the overlap exceeds half a tile.

    >>> cover_axis(100, size=64, overlap=10, multiple=32)
    AxisTiles(length=100, size=64, starts=(0, 32, 64))
    >>> cover_axis(100, size=1024, overlap=64, multiple=32)
    AxisTiles(length=100, size=128, starts=(0,))
    """
    if min(length, size, multiple) < 1 or overlap < 0:
        raise ValueError(
            f"got length {length}, size {size}, overlap {overlap} and multiple {multiple}, expected positive "
            "numbers and a non-negative overlap; change the tile size or the overlap"
        )
    if 2 * overlap > size:
        raise ValueError(
            f"got an overlap of {overlap} px for tiles of {size} px, expected at most half a tile; use larger tiles, "
            f"or an overlap of at most {size // 2} px"
        )
    padded = -(-length // multiple) * multiple
    # A tile that is only one stride long could not overlap the next one, which starts at least a stride later.
    size = -(-max(size, multiple + overlap) // multiple) * multiple
    if size >= padded:
        return AxisTiles(length, padded, (0,))
    longest_step = (size - overlap) // multiple * multiple
    n_steps = -(-(padded - size) // longest_step)
    # Spread the tiles evenly, so that the surplus is shared among all overlaps.
    starts = (i * (padded - size) // n_steps // multiple * multiple for i in range(n_steps + 1))
    return AxisTiles(length, size, tuple(starts))
