"""Compute percentiles of images that do not fit into memory, window by window, for normalisation."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isqrt

import numpy as np

from cellseg_monai.boxes import Box, Run
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

__all__ = ["percentile_ranges", "windows_of_chunks"]

_BINS = 2**16
_WINDOW_PX = 2**22

Read = Callable[[slice, slice], np.ndarray]
_Visit = Callable[[Callable[[Box, np.ndarray], None]], None]


def percentile_ranges(
    read: Read,
    shape: tuple[int, int],
    lower: float = 0.1,
    upper: float = 99.9,
    *,
    noise_floor: float = 0.0,
    chunk_shape: tuple[int, int] | None = None,
    window_px: int = _WINDOW_PX,
    run: Run = map,
) -> list[tuple[float, float]]:
    """Compute the values that `normalise_percentiles` scales to 0 and 1, for each channel.

    The results of the two functions agree up to rounding. This function reads the image once for 8-bit and 16-bit
    integers, twice for other values of up to 32 bits, and four times for 64-bit values.

    Args:
        read: function that returns the CYX pixels in the given rows and columns, always with the same dtype.
        shape: (Y, X) of the image.
        lower: percentile that becomes 0.
        upper: percentile that becomes 1.
        noise_floor: smallest range between the two values, as a multiple of the noise; see `normalise_percentiles`.
        chunk_shape: (Y, X) of the chunks in which the image is stored; see `windows_of_chunks`.
        window_px: maximum number of pixels in a window; see `windows_of_chunks`.
        run: function that applies another function to every window, like `map` or the `map` of a thread pool. Each
            thread holds one window in memory.

    Returns:
        The lower and upper values for each channel.

    Raises:
        ValueError: the percentiles are out of order, or a value is NaN or infinite.

    >>> image = np.arange(101, dtype=np.uint8).reshape(1, 101, 1)
    >>> percentile_ranges(lambda rows, columns: image[:, rows, columns], (101, 1), 10, 90)
    [(10.0, 90.0)]
    """
    check_percentiles(lower, upper)
    first = read(slice(0, 1), slice(0, 1))
    if not first.size:
        return []
    noise = _Noise(sampled_rows(shape) if noise_floor else np.zeros(0, np.intp))
    windows = list(windows_of_chunks(shape, chunk_shape, window_px))

    def visit(function: Callable[[Box, np.ndarray], None]) -> None:
        for _ in run(lambda window: function(window, read(*window)), windows):
            pass

    ranges = (_ranges_of_levels if is_narrow(first.dtype) else _ranges_of_values)(
        visit, first, shape, (lower, upper), noise
    )
    if not noise_floor:
        return ranges
    levels = noise.levels(len(ranges))
    return [(low, max(high, low + noise_floor * level)) for (low, high), level in zip(ranges, levels, strict=True)]


def windows_of_chunks(
    shape: tuple[int, int], chunk_shape: tuple[int, int] | None = None, window_px: int = _WINDOW_PX
) -> Iterator[Box]:
    """Yield windows that cover an image, such that each chunk lies in one window or in consecutive windows.

    Args:
        shape: (Y, X) of the image.
        chunk_shape: (Y, X) of the chunks in which the image is stored, starting at its upper left corner. None if any
            window can be read on its own, although whole rows are best.
        window_px: maximum number of pixels in a window, unless a single row of a chunk has more.

    >>> [(rows.stop, columns.stop) for rows, columns in windows_of_chunks((4, 8), (2, 4), 16)]
    [(4, 4), (4, 8)]
    >>> [(rows.stop, columns.stop) for rows, columns in windows_of_chunks((4, 8), (4, 4), 8)]
    [(2, 4), (4, 4), (2, 8), (4, 8)]
    """
    if 0 in shape:
        return
    chunk_height, chunk_width = (1, shape[1]) if chunk_shape is None else chunk_shape
    width = min(shape[1], max(1, isqrt(window_px) // chunk_width) * chunk_width)
    max_rows = max(1, window_px // width)
    height = max(1, max_rows // chunk_height) * chunk_height
    for top in range(0, shape[0], height):
        for left in range(0, shape[1], width):
            bottom = min(top + height, shape[0])
            for row in range(top, bottom, max_rows):
                yield slice(row, min(row + max_rows, bottom)), slice(left, min(left + width, shape[1]))


def _ranges_of_levels(
    visit: _Visit, first: np.ndarray, shape: tuple[int, int], percent: tuple[float, float], noise: _Noise
) -> list[tuple[float, float]]:
    """Compute the ranges of 8-bit and 16-bit integers from a histogram of each channel."""
    totals: np.ndarray = np.zeros((len(first), _BINS), np.int64)
    lock = threading.Lock()

    def count(window: Box, pixels: np.ndarray) -> None:
        noise.see(window, pixels)
        for total, channel in zip(totals, pixels, strict=True):
            counts, _, _ = level_counts(channel)
            with lock:
                total[: len(counts)] += counts

    visit(count)
    _, _, lowest = level_counts(first)
    places = (percentiles_of_counts(total, percent) for total in totals)
    return [(low + lowest, high + lowest) for low, high in places]


def _ranges_of_values(
    visit: _Visit, first: np.ndarray, shape: tuple[int, int], percent: tuple[float, float], noise: _Noise
) -> list[tuple[float, float]]:
    """Compute the ranges of wider values by radix selection, which determines 16 more bits in each pass."""
    last = shape[0] * shape[1] - 1
    (low, high) = places = [percentile / 100 * last for percentile in percent]
    ranks = [0, *(int(round_to(place)) for place in places for round_to in (np.floor, np.ceil)), last]
    dtype = _sortable(first).dtype
    sought = [[_Sought(rank) for rank in ranks] for _ in first]
    first_shift, *other_shifts = range(8 * dtype.itemsize - 16, -1, -16)
    lock = threading.Lock()

    def count(window: Box, pixels: np.ndarray) -> None:
        noise.see(window, pixels)
        _count(sought, first_shift, lock, window, pixels)

    visit(count)
    sought = [[value.narrowed() for value in channel] for channel in sought]
    for shift in other_shifts:
        visit(partial(_count, sought, shift, lock))
        sought = [[value.narrowed() for value in channel] for channel in sought]
    ranges = []
    for channel in sought:
        least, *neighbours, greatest = (_value(value.leading, dtype) for value in channel)
        lower, upper = (
            below + (above - below) * (place - int(place))
            for below, above, place in zip(neighbours[::2], neighbours[1::2], (low, high), strict=True)
        )
        ranges.append((lower, upper) if lower < upper else (least, greatest))
    return ranges


@dataclass
class _Sought:
    """An unknown value, identified by its rank among the values with the same leading bits."""

    rank: int
    leading: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.int64))  # histogram of the next 16 bits

    def narrowed(self) -> _Sought:
        """Return the same value with 16 more leading bits, derived from the counts."""
        cumulative = np.cumsum(self.counts)
        place = int(np.searchsorted(cumulative, self.rank, side="right"))
        before = int(cumulative[place - 1]) if place else 0
        return _Sought(self.rank - before, self.leading << 16 | place)


def _count(
    sought: Sequence[Sequence[_Sought]], shift: int, lock: threading.Lock, window: Box, pixels: np.ndarray
) -> None:
    """Add a CYX window to the histograms of the sought values.

    Only pixels with the same leading bits as a sought value are counted. Their bin is the 16-bit number that starts at
    bit `shift`.
    """
    for values, channel in zip(sought, pixels, strict=True):
        leading = _bits(_sortable(channel)) >> shift
        counts = {value.leading: _counts_below(leading, value.leading) for value in values}
        with lock:
            for value in values:
                value.counts += counts[value.leading]


def _counts_below(leading: np.ndarray, before: int) -> np.ndarray:
    """Count how often each combination of 16 bits follows the given leading bits."""
    beyond = leading - leading.dtype.type(before << 16)  # values with smaller leading bits wrap around to large ones
    return np.bincount(beyond[beyond < _BINS].astype(np.intp), minlength=_BINS)


def _sortable(pixels: np.ndarray) -> np.ndarray:
    """Convert the pixels to a type that `_bits` can order, and check that they are finite."""
    if pixels.dtype.kind in "iu":
        return pixels
    values: np.ndarray = pixels.astype(np.float64 if pixels.dtype.itemsize > 4 else np.float32, copy=False)
    if values.size:
        check_finite(values)
    return values


def _bits(values: np.ndarray) -> np.ndarray:
    """Map values to unsigned integers that sort in the same order."""
    native = np.ascontiguousarray(values.ravel(), values.dtype.newbyteorder("="))
    bits = native.view(f"u{native.itemsize}")
    if native.dtype.kind == "u":
        return bits
    sign = bits.dtype.type(1 << 8 * native.itemsize - 1)
    if native.dtype.kind == "i":
        return bits ^ sign
    # In IEEE 754, bit patterns increase with the value for positive numbers, and decrease for negative numbers.
    return np.where(bits & sign, ~bits, bits | sign)


def _value(bits: int, dtype: np.dtype) -> float:
    """Convert an unsigned integer from `_bits` back to its value."""
    sign, all_bits = 1 << 8 * dtype.itemsize - 1, (1 << 8 * dtype.itemsize) - 1
    if dtype.kind == "i":
        bits ^= sign
    elif dtype.kind == "f":
        bits = bits ^ sign if bits & sign else bits ^ all_bits
    return float(np.array(bits, f"u{dtype.itemsize}").view(dtype.newbyteorder("=")))


class _Noise:
    """The noise in an image, measured from sampled rows and their neighbours, which are collected window by window."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows
        self._near = np.unique(np.concatenate([rows - 1, rows, rows + 1]))
        self._kept: defaultdict[int, dict[int, np.ndarray]] = defaultdict(dict)
        self._lock = threading.Lock()

    def see(self, window: Box, pixels: np.ndarray) -> None:
        """Copy the rows of a CYX window that are needed to measure the noise."""
        rows, columns = window
        for row in self._near[(self._near >= rows.start) & (self._near < rows.stop)].tolist():
            kept = pixels[:, row - rows.start].copy()
            with self._lock:
                self._kept[row][columns.start] = kept

    def levels(self, channels: int) -> list[float]:
        """Return the noise level of each channel, once all windows have been seen."""
        if not len(self._rows):
            return [0.0] * channels
        whole = {
            row: np.concatenate([part for _, part in sorted(parts.items())], 1) for row, parts in self._kept.items()
        }
        above, here, below = (
            np.stack([whole[row] for row in (self._rows + offset).tolist()], axis=1) for offset in (-1, 0, 1)
        )
        return [noise_of(second_differences(*rows)) for rows in zip(above, here, below, strict=True)]
