"""The intensities that become 0 and 1, of an image too large to be held: gathered window by window."""

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
    """For each channel, the values that `normalise_percentiles` scales to 0 and 1.

    The same numbers, to rounding. The image is read once for every 16 bits of its pixels.

    Args:
        read: rows and columns to CYX pixels, of one dtype.
        shape: (Y, X) of the image.
        lower: percentile that becomes 0.
        upper: percentile that becomes 1.
        noise_floor: see `normalise_percentiles`.
        chunk_shape: see `windows_of_chunks`.
        window_px: see `windows_of_chunks`.
        run: how a function is called for each window: `map`, or that of an executor of threads, each of which then
            holds one.

    Raises:
        ValueError: percentiles out of order, NaN or infinite values.

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

    def see(function: Callable[[Box, np.ndarray], None]) -> None:
        for _ in run(lambda window: function(window, read(*window)), windows):
            pass

    ranges = (_of_levels if is_narrow(first.dtype) else _of_values)(see, first, shape, (lower, upper), noise)
    if not noise_floor:
        return ranges
    levels = noise.levels(len(ranges))
    return [(low, max(high, low + noise_floor * level)) for (low, high), level in zip(ranges, levels, strict=True)]


def windows_of_chunks(
    shape: tuple[int, int], chunk_shape: tuple[int, int] | None = None, window_px: int = _WINDOW_PX
) -> Iterator[Box]:
    """Windows that cover an image, and each chunk by one of them alone, or by some that follow each other.

    Args:
        shape: (Y, X) of the image.
        chunk_shape: (Y, X) of the blocks in which it is stored, from its upper left corner on; None: any window is
            read alone, and best by whole rows.
        window_px: how many pixels a window has at most, unless a row of a chunk has more.

    >>> [(rows.stop, columns.stop) for rows, columns in windows_of_chunks((4, 8), (2, 4), 16)]
    [(4, 4), (4, 8)]
    >>> [(rows.stop, columns.stop) for rows, columns in windows_of_chunks((4, 8), (4, 4), 8)]
    [(2, 4), (4, 4), (2, 8), (4, 8)]
    """
    if 0 in shape:
        return
    chunk_height, chunk_width = (1, shape[1]) if chunk_shape is None else chunk_shape
    width = min(shape[1], max(1, isqrt(window_px) // chunk_width) * chunk_width)
    most = max(1, window_px // width)
    height = max(1, most // chunk_height) * chunk_height
    for top in range(0, shape[0], height):
        for left in range(0, shape[1], width):
            bottom = min(top + height, shape[0])
            for row in range(top, bottom, most):
                yield slice(row, min(row + most, bottom)), slice(left, min(left + width, shape[1]))


_See = Callable[[Callable[[Box, np.ndarray], None]], None]


def _of_levels(
    see: _See, first: np.ndarray, shape: tuple[int, int], percent: tuple[float, float], noise: _Noise
) -> list[tuple[float, float]]:
    totals: np.ndarray = np.zeros((len(first), _BINS), np.int64)
    lock = threading.Lock()

    def count(window: Box, pixels: np.ndarray) -> None:
        noise.see(window, pixels)
        for total, channel in zip(totals, pixels, strict=True):
            counts, _, _ = level_counts(channel)
            with lock:
                total[: len(counts)] += counts

    see(count)
    _, _, lowest = level_counts(first)
    places = (percentiles_of_counts(total, percent) for total in totals)
    return [(low + lowest, high + lowest) for low, high in places]


def _of_values(
    see: _See, first: np.ndarray, shape: tuple[int, int], percent: tuple[float, float], noise: _Noise
) -> list[tuple[float, float]]:
    """By radix selection: each pass counts 16 bits more of the values that are not yet told from those sought."""
    last = shape[0] * shape[1] - 1
    (low, high) = places = [each / 100 * last for each in percent]
    ranks = [0, *(int(rounded(place)) for place in places for rounded in (np.floor, np.ceil)), last]
    dtype = _sortable(first).dtype
    sought = [[_Sought(rank) for rank in ranks] for _ in first]
    first_pass, *others = range(8 * dtype.itemsize - 16, -1, -16)
    lock = threading.Lock()

    def look(window: Box, pixels: np.ndarray) -> None:
        noise.see(window, pixels)
        _count(sought, first_pass, lock, window, pixels)

    see(look)
    sought = [[each.narrowed() for each in some] for some in sought]
    for shift in others:
        see(partial(_count, sought, shift, lock))
        sought = [[each.narrowed() for each in some] for some in sought]
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


def _count(
    sought: Sequence[Sequence[_Sought]], shift: int, lock: threading.Lock, window: Box, pixels: np.ndarray
) -> None:
    """Count in a window, CYX, the 16 bits above `shift` of those that may be sought."""
    for some, channel in zip(sought, pixels, strict=True):
        leading = _bits(_sortable(channel)) >> shift
        counted = {each.leading: _counts_below(leading, each.leading) for each in some}
        with lock:
            for each in some:
                each.counts += counted[each.leading]


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
    """The rows in which noise is measured, and those above and below, kept as windows of the image come by."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows
        self._near = np.unique(np.concatenate([rows - 1, rows, rows + 1]))
        self._kept: defaultdict[int, dict[int, np.ndarray]] = defaultdict(dict)
        self._lock = threading.Lock()

    def see(self, window: Box, pixels: np.ndarray) -> None:
        """Keep what is needed of a window, CYX."""
        rows, columns = window
        for row in self._near[(self._near >= rows.start) & (self._near < rows.stop)].tolist():
            kept = pixels[:, row - rows.start].copy()
            with self._lock:
                self._kept[row][columns.start] = kept

    def levels(self, channels: int) -> list[float]:
        """The noise of each channel."""
        if not len(self._rows):
            return [0.0] * channels
        whole = {
            row: np.concatenate([part for _, part in sorted(parts.items())], 1) for row, parts in self._kept.items()
        }
        above, here, below = (
            np.stack([whole[row] for row in (self._rows + away).tolist()], axis=1) for away in (-1, 0, 1)
        )
        return [noise_of(second_differences(*rows)) for rows in zip(above, here, below, strict=True)]
