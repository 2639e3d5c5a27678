"""The intensities that become 0 and 1, of an image too large to be held: gathered band by band."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from cellseg_monai.ahead import ahead
from cellseg_monai.pixels.normalise import (
    check_finite,
    check_percentiles,
    is_narrow,
    level_counts,
    noise_of,
    percentiles_of_counts,
    sampled_rows,
    second_differences,
)

__all__ = ["percentile_ranges"]

_BINS = 2**16
_BAND_PX = 2**22

Rows = Callable[[slice], np.ndarray]


def percentile_ranges(
    read: Rows,
    shape: tuple[int, int],
    lower: float = 0.1,
    upper: float = 99.9,
    *,
    noise_floor: float = 0.0,
    band_px: int = _BAND_PX,
) -> list[tuple[float, float]]:
    """For each channel, the values that `normalise_percentiles` scales to 0 and 1.

    The same numbers, to rounding. The image is read once for every 16 bits of its pixels.

    Args:
        read: rows to CYX pixels of the whole width, of one dtype.
        shape: (Y, X) of the image.
        lower: percentile that becomes 0.
        upper: percentile that becomes 1.
        noise_floor: see `normalise_percentiles`.
        band_px: pixels of a channel that are read at once.

    Raises:
        ValueError: percentiles out of order, NaN or infinite values.

    >>> image = np.arange(101, dtype=np.uint8).reshape(1, 101, 1)
    >>> percentile_ranges(lambda rows: image[:, rows], (101, 1), 10, 90)
    [(10.0, 90.0)]
    """
    check_percentiles(lower, upper)
    narrow = is_narrow(read(slice(0, 1)).dtype)
    noise = _Noise(sampled_rows(shape) if noise_floor else np.zeros(0, np.intp))
    ranges = (_of_levels if narrow else _of_values)(read, shape, (lower, upper), band_px, noise)
    if not noise_floor:
        return ranges
    levels = noise.levels(len(ranges))
    return [(low, max(high, low + noise_floor * level)) for (low, high), level in zip(ranges, levels, strict=True)]


def _bands(read: Rows, shape: tuple[int, int], band_px: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows of each band and its pixels, the next of which are read meanwhile."""
    rows = max(1, band_px // max(shape[1], 1))
    bands = (slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows))
    with closing(ahead((band, read(band)) for band in bands)) as found:
        yield from found


def _of_levels(
    read: Rows, shape: tuple[int, int], percent: tuple[float, float], band_px: int, noise: _Noise
) -> list[tuple[float, float]]:
    totals: list[np.ndarray] = []
    lowest = 0
    for band, pixels in _bands(read, shape, band_px):
        noise.see(pixels, band)
        for at, channel in enumerate(pixels):
            counts, _, lowest = level_counts(channel)
            if at == len(totals):
                totals.append(np.zeros(_BINS, np.int64))
            totals[at][: len(counts)] += counts
    places = (percentiles_of_counts(total, percent) for total in totals)
    return [(low + lowest, high + lowest) for low, high in places]


def _of_values(
    read: Rows, shape: tuple[int, int], percent: tuple[float, float], band_px: int, noise: _Noise
) -> list[tuple[float, float]]:
    """By radix selection: each pass counts 16 bits more of the values that are not yet told from those sought."""
    count = shape[0] * shape[1]
    if not count:
        return []
    (low, high) = places = [each / 100 * (count - 1) for each in percent]
    ranks = [0, *(int(rounded(place)) for place in places for rounded in (np.floor, np.ceil)), count - 1]
    dtype = _sortable(read(slice(0, 1))).dtype
    sought: list[list[_Sought]] = []
    for shift in range(8 * dtype.itemsize - 16, -1, -16):
        first_pass = not sought
        for band, pixels in _bands(read, shape, band_px):
            if first_pass:
                noise.see(pixels, band)
            for at, channel in enumerate(pixels):
                if at == len(sought):
                    sought.append([_Sought(rank) for rank in ranks])
                leading = _bits(_sortable(channel)) >> shift
                counted = {each.leading: _counts_below(leading, each.leading) for each in sought[at]}
                for each in sought[at]:
                    each.counts += counted[each.leading]
        sought = [[each.narrowed() for each in channel] for channel in sought]
    ranges = []
    for channel in sought:
        least, *around, greatest = (_value(each.leading, dtype) for each in channel)
        found = [
            below + (above - below) * (place - int(place))
            for below, above, place in zip(around[::2], around[1::2], (low, high), strict=True)
        ]
        ranges.append((found[0], found[1]) if found[0] < found[1] else (least, greatest))
    return ranges


@dataclass
class _Sought:
    """A value by its rank among those whose leading bits are the same; `counts`: of the 16 bits that follow."""

    rank: int
    leading: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def narrowed(self) -> _Sought:
        cumulative = np.cumsum(self.counts)
        place = int(np.searchsorted(cumulative, self.rank, side="right"))
        before = int(cumulative[place - 1]) if place else 0
        return _Sought(self.rank - before, self.leading << 16 | place)


def _counts_below(leading: np.ndarray, before: int) -> np.ndarray:
    """How often each 16 bits follow some leading ones."""
    beyond = leading - leading.dtype.type(before << 16)  # unsigned: those of smaller leading bits become large
    return np.bincount(beyond[beyond < _BINS].astype(np.intp), minlength=_BINS)


def _sortable(pixels: np.ndarray) -> np.ndarray:
    """In one of the types whose bits can be brought into order."""
    if pixels.dtype.kind in "iu":
        return pixels
    values: np.ndarray = pixels.astype(np.float64 if pixels.dtype.itemsize > 4 else np.float32, copy=False)
    if values.size:
        check_finite(values)
    return values


def _bits(values: np.ndarray) -> np.ndarray:
    """Unsigned integers in the order of the values."""
    native = np.ascontiguousarray(values.ravel(), values.dtype.newbyteorder("="))
    bits = native.view(f"u{native.itemsize}")
    if native.dtype.kind == "u":
        return bits
    sign = bits.dtype.type(1 << 8 * native.itemsize - 1)
    if native.dtype.kind == "i":
        return bits ^ sign
    # IEEE 754: the bits of positive numbers ascend with them, those of negative ones descend.
    return np.where(bits & sign, ~bits, bits | sign)


def _value(bits: int, dtype: np.dtype) -> float:
    """The value whose bits these are, as `_bits` has brought them into order."""
    sign, every = 1 << 8 * dtype.itemsize - 1, (1 << 8 * dtype.itemsize) - 1
    if dtype.kind == "i":
        bits ^= sign
    elif dtype.kind == "f":
        bits = bits ^ sign if bits & sign else bits ^ every
    return float(np.array(bits, f"u{dtype.itemsize}").view(dtype.newbyteorder("=")))


class _Noise:
    """The rows in which noise is measured, and those above and below, kept as bands of the image come by."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows
        self._near = np.unique(np.concatenate([rows - 1, rows, rows + 1]))
        self._kept: dict[int, np.ndarray] = {}

    def see(self, pixels: np.ndarray, band: slice) -> None:
        """Keep what is needed of a band, CYX."""
        for row in self._near[(self._near >= band.start) & (self._near < band.stop)].tolist():
            self._kept[row] = pixels[:, row - band.start].copy()

    def levels(self, channels: int) -> list[float]:
        """The noise of each channel."""
        if not len(self._rows):
            return [0.0] * channels
        above, here, below = (
            np.stack([self._kept[row] for row in (self._rows + away).tolist()], axis=1) for away in (-1, 0, 1)
        )
        return [noise_of(second_differences(*rows)) for rows in zip(above, here, below, strict=True)]
