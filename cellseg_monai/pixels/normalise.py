"""Scale intensities to [0, 1] by percentiles of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cellseg_monai.pixels.noise import is_narrow, noise_level

__all__ = [
    "ChannelRange",
    "check_finite",
    "check_percentiles",
    "highest_contrast",
    "level_counts",
    "normalise_and_measure",
    "normalise_percentiles",
    "ranks_without_specks",
    "scale_between",
    "values_of_counts",
]

# Fewer pixels than this are a speck: dust, or hot or dead pixels of a camera.
_SPECK_PX = 16

# The difference between any two values within this limit fits into float32.
_LARGEST = float(np.finfo(np.float32).max) / 2


class ChannelRange(NamedTuple):
    """The range of intensities in a channel, before a noise floor widens it.

    Args:
        low: value that becomes 0.
        high: value that becomes 1.
        noise: see `noise_level`; None if it was not measured.
        is_nearly_constant: True if almost all pixels have the value `low`, so there are no percentiles to stretch.
    """

    low: float
    high: float
    noise: float | None
    is_nearly_constant: bool

    @classmethod
    def of(
        cls, percentiles: tuple[float, float], ends: tuple[float, float], maximum: float, noise: float | None
    ) -> ChannelRange:
        """Choose the range; see `normalise_percentiles`.

        Args:
            percentiles: the lower and the upper percentile.
            ends: the lowest and highest values apart from specks; see `ranks_without_specks`.
            maximum: the highest value.
            noise: see `noise_level`; None if it was not measured.
        """
        low, high = percentiles
        if ends[0] == ends[1]:
            return cls(ends[0], maximum, noise, True)
        return cls(low, maximum, noise, True) if low == high else cls(low, high, noise, False)

    @property
    def contrast(self) -> float:
        """The range as a multiple of the noise; see `contrast_over_noise`. NaN if the noise was not measured."""
        if self.is_nearly_constant:
            return 0.0
        if self.noise is None:
            return float("nan")
        return (self.high - self.low) / self.noise if self.noise else float("inf")

    def limits(self, noise_floor: float) -> tuple[float, float]:
        """Return the values that become 0 and 1, at least `noise_floor` times the noise apart.

        Args:
            noise_floor: see `normalise_percentiles`.
        """
        return self.low, max(self.high, self.low + noise_floor * (self.noise or 0.0))


def highest_contrast(ranges: Sequence[ChannelRange]) -> float:
    """Return the highest contrast among channels, or NaN if that of any channel is unknown."""
    return float(np.max([channel.contrast for channel in ranges]))


def check_percentiles(lower: float, upper: float) -> None:
    """Check that two percentiles are in range and in order.

    Raises:
        ValueError: the percentiles are not in increasing order, or not between 0 and 100.

    >>> check_percentiles(1, 99)
    """
    if not 0 <= lower < upper <= 100:
        raise ValueError(
            f"got lower percentile {lower} and upper percentile {upper}, expected 0 <= lower < upper <= 100; "
            "pass percentages, such as 0.1 and 99.9"
        )


def normalise_percentiles(
    pixels: np.ndarray, lower: float = 0.1, upper: float = 99.9, *, clip: bool = True, noise_floor: float = 0.0
) -> np.ndarray:
    """Scale every channel so that its lower and upper percentiles become 0 and 1.

    Call this function once on a whole image, never on crops. In a crop without cells, it would stretch the noise to
    full contrast, and tiles of the same image would no longer match.

    Values beyond the percentiles are clipped to [0, 1], so that hot pixels and dirt stay within the range on which the
    network was trained. StarDist and Cellpose do not clip, and in MONAI clipping is optional. Pass `clip=False` for
    networks trained without clipping.

    If the two percentiles are equal, as in an almost empty image, their value becomes 0 and the maximum becomes 1, so
    that a few bright cells do not vanish. A few darker pixels become 0 as well: they must not make everything else
    bright. The same applies to small images in which fewer than 16 pixels differ from all others on either side. A
    constant channel becomes zeros. Percentiles are interpolated like those of `numpy.percentile`. For 8-bit and 16-bit
    integers, they are computed from an exact histogram.

    Without cells, the range between the percentiles contains only noise. If noise were stretched to full contrast, a
    network would see cells everywhere. `noise_floor` therefore sets a lower limit on the range, as a multiple of the
    noise. At 30, the default in `Preprocessing`, images with cells do not change, and empty images stay dark.

    Args:
        pixels: CYX, booleans, integers or floats of any width.
        lower: percentile in [0, 100) that becomes 0.
        upper: percentile in (0, 100] that becomes 1.
        clip: True to limit the result to [0, 1].
        noise_floor: smallest range that is scaled to [0, 1], as a multiple of `noise_level`; 0 means no limit.

    Returns:
        CYX float32, always a new array.

    Raises:
        ValueError: the percentiles are out of order, the dtype is complex or object, or a value is NaN or infinite.

    >>> normalise_percentiles(np.array([[[10, 20, 30]]], np.uint16), 0, 100)
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    return normalise_and_measure(pixels, lower, upper, clip=clip, noise_floor=noise_floor)[0]


def normalise_and_measure(
    pixels: np.ndarray, lower: float, upper: float, *, clip: bool, noise_floor: float
) -> tuple[np.ndarray, list[ChannelRange]]:
    """Normalise like `normalise_percentiles`, and also return the range of each channel."""
    check_percentiles(lower, upper)
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"got pixels of dtype {pixels.dtype}, expected integers or floats; convert the pixels first")
    out = np.empty(pixels.shape, np.float32)
    scale = _scale_levels if is_narrow(pixels.dtype) else _scale_values
    return out, [
        scale(channel, scaled, (lower, upper), clip, noise_floor) for channel, scaled in zip(pixels, out, strict=True)
    ]


def level_counts(channel: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Compute a histogram of 8-bit or 16-bit integers with one bin per value.

    Returns:
        The number of pixels in each bin, the bin of each pixel, and the value that the first bin stands for.
    """
    lowest = 0 if channel.dtype.kind in "bu" else int(np.iinfo(channel.dtype).min)
    codes = channel if lowest == 0 else (channel.astype(np.int32) - lowest).astype(np.uint16)
    return np.bincount(codes.ravel()), codes, lowest


def _scale_levels(
    channel: np.ndarray, out: np.ndarray, percent: tuple[float, float], clip: bool, noise_floor: float
) -> ChannelRange:
    """Scale 8-bit or 16-bit integers, using a histogram for the percentiles and a lookup table for the result."""
    counts, codes, _ = level_counts(channel)
    found = ChannelRange.of(*values_of_counts(counts, percent), noise_level(channel) if noise_floor else None)
    low, high = found.limits(noise_floor)
    table = scale_between(np.arange(len(counts), dtype=np.float64), low, high, clip)
    np.take(table.astype(np.float32), codes, out=out, mode="clip")
    return found


def values_of_counts(
    counts: np.ndarray, percent: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Return the bins of two percentiles in a histogram, interpolated between bins, and what else a range depends on.

    Args:
        counts: number of pixels in each bin.
        percent: lower and upper percentile.

    Returns:
        The two percentiles, the lowest and highest values apart from specks, and the maximum; see `ChannelRange.of`.
    """
    cumulative = np.cumsum(counts)
    size = int(cumulative[-1])

    def at(rank: int) -> int:
        return int(np.searchsorted(cumulative, rank, side="right"))

    def percentile(q: float) -> float:
        place = q / 100 * (size - 1)
        before, after = at(int(place)), at(int(np.ceil(place)))
        return before + (after - before) * (place - int(place))

    least, greatest = map(at, ranks_without_specks(size))
    return (percentile(percent[0]), percentile(percent[1])), (least, greatest), at(size - 1)


def _scale_values(
    channel: np.ndarray, out: np.ndarray, percent: tuple[float, float], clip: bool, noise_floor: float
) -> ChannelRange:
    """Scale floats or integers wider than 16 bits."""
    if channel.dtype.kind in "iu":
        # Compute differences from the minimum in unsigned arithmetic, which is exact at any width.
        values = (channel.astype(np.uint64) - channel.min().astype(np.uint64)).astype(np.float64)
    else:
        values = channel.astype(np.float64 if channel.dtype.itemsize > 4 else np.float32)
        check_finite(values)
    low, high = (float(value) for value in np.percentile(values, percent))
    noise = noise_level(values) if noise_floor else None
    found = ChannelRange.of((low, high), _ends_without_specks(values, percent), float(values.max()), noise)
    out[...] = scale_between(values, *found.limits(noise_floor), clip)
    return found


def _ends_without_specks(values: np.ndarray, percent: tuple[float, float]) -> tuple[float, float]:
    """Return the lowest and highest values apart from specks, or the infinities if the percentiles leave specks out."""
    ranks = ranks_without_specks(values.size)
    lowest_rank, highest_rank = (percentile / 100 * (values.size - 1) for percentile in percent)
    if lowest_rank >= ranks[0] and highest_rank <= ranks[1]:
        return -np.inf, np.inf
    ordered = np.partition(values, ranks, axis=None)
    return float(ordered[ranks[0]]), float(ordered[ranks[1]])


def ranks_without_specks(size: int) -> tuple[int, int]:
    """Return the ranks, counted from 0, of the lowest and highest values that more than a speck of pixels reach.

    A speck has 16 pixels, or an eighth of the pixels of a tiny image.

    Args:
        size: number of pixels.

    >>> ranks_without_specks(1000), ranks_without_specks(3)
    ((16, 983), (0, 2))
    """
    speck = min(_SPECK_PX, size // 8)
    return speck, size - 1 - speck


def check_finite(values: np.ndarray) -> None:
    """Check that all values are finite and small enough for float32.

    Raises:
        ValueError: a value is NaN, infinite or too large.
    """
    # The minimum and maximum are NaN if any value is. float16 cannot hold the limit, so they are compared as float64.
    if not (float(values.min()) >= -_LARGEST and float(values.max()) <= _LARGEST):
        bad = int(np.count_nonzero(~(np.abs(values.astype(np.float64)) <= _LARGEST)))
        raise ValueError(
            f"{bad} of {values.size} values are NaN, infinite or beyond ±{_LARGEST:.1e}; "
            "replace these values, for example with numpy.nan_to_num, or repair the file"
        )


def scale_between(values: np.ndarray, low: float, high: float, clip: bool) -> np.ndarray:
    """Scale values in place so that `low` becomes 0 and `high` becomes 1, and return them.

    Args:
        values: floats of any shape; overwritten.
        low: value that becomes 0.
        high: value that becomes 1. If it equals `low`, the result is a new array of zeros.
        clip: True to limit the result to [0, 1].
    """
    if low == high:
        return np.zeros_like(values)
    if clip:
        # Clip before dividing, because values far outside the range could overflow.
        np.clip(values, low, high, out=values)
    values -= low
    values /= high - low
    return np.clip(values, 0, 1, out=values) if clip else values
