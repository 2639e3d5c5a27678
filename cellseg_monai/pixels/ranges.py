"""The intensities that become 0 and 1, of an image too large to be held: gathered band by band."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

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

    The same numbers for 8 and 16 bit integers, whose histogram is exact. Of floats and wide integers the percentiles
    are right to a 65,536th of the range of the values. Of each image three passes are read at most.

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
    ranges = (_of_levels if narrow else _of_values)(read, shape, (lower, upper), band_px)
    if not noise_floor:
        return ranges
    levels = _noise(read, shape, len(ranges), band_px)
    return [(low, max(high, low + noise_floor * level)) for (low, high), level in zip(ranges, levels, strict=True)]


def _bands(shape: tuple[int, int], band_px: int) -> Iterator[slice]:
    rows = max(1, band_px // max(shape[1], 1))
    return (slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows))


def _of_levels(
    read: Rows, shape: tuple[int, int], percent: tuple[float, float], band_px: int
) -> list[tuple[float, float]]:
    totals: list[np.ndarray] = []
    lowest = 0
    for band in _bands(shape, band_px):
        for at, channel in enumerate(read(band)):
            counts, _, lowest = level_counts(channel)
            if at == len(totals):
                totals.append(np.zeros(_BINS, np.int64))
            totals[at][: len(counts)] += counts
    places = (percentiles_of_counts(total, percent) for total in totals)
    return [(low + lowest, high + lowest) for low, high in places]


def _of_values(
    read: Rows, shape: tuple[int, int], percent: tuple[float, float], band_px: int
) -> list[tuple[float, float]]:
    least: np.ndarray | None = None
    greatest: np.ndarray | None = None
    for band in _bands(shape, band_px):
        values: np.ndarray = read(band).astype(np.float64)
        check_finite(values)
        low, high = values.min(axis=(1, 2)), values.max(axis=(1, 2))
        least = low if least is None else np.minimum(least, low)
        greatest = high if greatest is None else np.maximum(greatest, high)
    if least is None or greatest is None:
        return []
    step = np.where(greatest > least, (greatest - least) / (_BINS - 1), 1.0)
    totals: np.ndarray = np.zeros((len(step), _BINS), np.int64)
    for band in _bands(shape, band_px):
        for at, channel in enumerate(read(band)):
            places = np.rint((channel.astype(np.float64) - least[at]) / step[at]).astype(np.intp)
            totals[at] += np.bincount(places.ravel(), minlength=_BINS)
    found = []
    for at, total in enumerate(totals):
        low, high = percentiles_of_counts(total, percent)
        found.append((float(least[at] + low * step[at]), float(least[at] + high * step[at])))
    return found


def _noise(read: Rows, shape: tuple[int, int], channels: int, band_px: int) -> list[float]:
    rows = sampled_rows(shape)
    if not len(rows):
        return [0.0] * channels
    parts: list[list[np.ndarray]] = [[] for _ in range(channels)]
    for band in _bands(shape, band_px):
        inside = rows[(rows >= band.start) & (rows < band.stop)]
        if not len(inside):
            continue
        first = max(band.start - 1, 0)
        window = read(slice(first, min(band.stop + 1, shape[0])))
        at = inside - first
        for part, channel in zip(parts, window, strict=True):
            part.append(second_differences(channel[at - 1], channel[at], channel[at + 1]))
    return [noise_of(np.concatenate(part)) for part in parts]
