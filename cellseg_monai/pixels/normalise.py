"""Scale intensities to [0, 1] by percentiles of the whole image."""

from __future__ import annotations

import numpy as np

__all__ = [
    "check_finite",
    "check_percentiles",
    "is_narrow",
    "level_counts",
    "noise_level",
    "noise_of",
    "normalise_percentiles",
    "percentiles_of_counts",
    "sampled_rows",
    "scale_between",
    "second_differences",
]

# This many pixels give the noise level of an image to about three parts in a thousand.
_NOISE_SAMPLE_PX = 2**17

# The difference between any two values within this limit fits into float32.
_LARGEST = float(np.finfo(np.float32).max) / 2


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


def noise_level(channel: np.ndarray) -> float:
    """Estimate the standard deviation of the noise in an image, in the units of its pixel values.

    The image is filtered with a mask that cancels flat areas, slopes and straight edges (Immerkær 1996,
    doi:10.1006/cviu.1996.0060). The median of the absolute result gives the noise (Donoho and Johnstone 1994,
    doi:10.1093/biomet/81.3.425). Unlike the mean, the median is not affected by cell borders. Images with more than
    131,072 pixels are sampled in evenly spaced rows.

    Args:
        channel: YX. The result is 0 if there are fewer than 3 rows or columns.

    >>> ramp = np.add.outer(np.arange(64), np.arange(64)).astype(float)
    >>> noise_level(ramp)
    0.0
    >>> round(noise_level(ramp + np.random.default_rng(0).normal(0, 5, (64, 64))), 1)
    5.0
    """
    rows = sampled_rows((channel.shape[0], channel.shape[1]))
    if not len(rows):
        return 0.0
    return noise_of(second_differences(channel[rows - 1], channel[rows], channel[rows + 1]))


def sampled_rows(shape: tuple[int, int]) -> np.ndarray:
    """Return the indices of the rows in which noise is measured.

    There are none if the image has fewer than 3 rows or columns.

    Args:
        shape: (Y, X) of the image.
    """
    if min(shape) < 3:
        return np.zeros(0, np.intp)
    return np.arange(1, shape[0] - 1, max(1, shape[0] * shape[1] // _NOISE_SAMPLE_PX))


def second_differences(above: np.ndarray, here: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Apply a mask that cancels flat areas, slopes and straight edges, leaving the noise.

    Args:
        above: YX, the row above each row in `here`.
        here: YX, the rows in which noise is measured.
        below: YX, the row below each row in `here`.

    Returns:
        YX floats, two columns narrower than `here`.
    """
    # For 16-bit integers, the results are integers that float32 represents exactly.
    second: np.ndarray = above.astype(np.float32 if is_narrow(above.dtype) else np.float64)
    second += below
    second -= here
    second -= here
    differences: np.ndarray = second[:, :-2] + second[:, 2:]
    differences -= second[:, 1:-1]
    differences -= second[:, 1:-1]
    return differences


def noise_of(differences: np.ndarray) -> float:
    """Return the standard deviation of the noise in an image, given its second differences.

    Args:
        differences: result of `second_differences`, which is overwritten.
    """
    # 0.6745 is the median of |x| for a standard normal distribution, and 6 is the norm of the mask.
    return _median(np.abs(differences, out=differences).ravel()) / (0.6745 * 6)


def _median(values: np.ndarray) -> float:
    """Return the median like `numpy.median`, but several times faster and reordering the values in place."""
    middle = len(values) // 2
    values.partition(middle)  # numpy vectorises this for a single position
    if np.isnan(values[middle:].max()):  # NaN sorts last
        return float("nan")
    if len(values) % 2:
        return float(values[middle])
    return (float(values[:middle].max()) + float(values[middle])) / 2


def normalise_percentiles(
    pixels: np.ndarray, lower: float = 0.1, upper: float = 99.9, *, clip: bool = True, noise_floor: float = 0.0
) -> np.ndarray:
    """Scale every channel so that its lower and upper percentiles become 0 and 1.

    Call this function once on a whole image, never on crops. In a crop without cells, it would stretch the noise to
    full contrast, and tiles of the same image would no longer match.

    Values beyond the percentiles are clipped to [0, 1], so that hot pixels and dirt stay within the range on which the
    network was trained. StarDist and Cellpose do not clip, and in MONAI clipping is optional. Pass `clip=False` for
    networks trained without clipping.

    If the two percentiles are equal, as in an almost empty image, the minimum and maximum of the channel are used
    instead, because a few bright cells would otherwise vanish. A constant channel becomes zeros. Percentiles are
    interpolated as in `numpy.percentile`. For 8-bit and 16-bit integers, they are computed from an exact histogram.

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
    check_percentiles(lower, upper)
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"got pixels of dtype {pixels.dtype}, expected integers or floats; convert the pixels first")
    out = np.empty(pixels.shape, np.float32)
    for channel, scaled in zip(pixels, out, strict=True):
        (_scale_levels if is_narrow(pixels.dtype) else _scale_values)(
            channel, scaled, (lower, upper), clip, noise_floor
        )
    return out


def is_narrow(dtype: np.dtype) -> bool:
    """Return True for 8-bit and 16-bit integers, for which a histogram can have a bin for every value."""
    return dtype.kind in "bui" and dtype.itemsize <= 2


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
) -> None:
    """Scale 8-bit or 16-bit integers, using a histogram for the percentiles and a lookup table for the result."""
    counts, codes, _ = level_counts(channel)
    low, high = percentiles_of_counts(counts, percent)
    if noise_floor:
        high = max(high, low + noise_floor * noise_level(channel))
    table = scale_between(np.arange(len(counts), dtype=np.float64), low, high, clip)
    np.take(table.astype(np.float32), codes, out=out, mode="clip")


def percentiles_of_counts(counts: np.ndarray, percent: tuple[float, float]) -> tuple[float, float]:
    """Return the bins of two percentiles in a histogram, interpolated between bins.

    If both percentiles are equal, return the lowest and highest non-empty bins instead.

    Args:
        counts: number of pixels in each bin.
        percent: lower and upper percentile.
    """
    cumulative = np.cumsum(counts)

    def percentile(q: float) -> float:
        place = q / 100 * (int(cumulative[-1]) - 1)
        before = int(np.searchsorted(cumulative, int(place), side="right"))
        after = int(np.searchsorted(cumulative, int(np.ceil(place)), side="right"))
        return before + (after - before) * (place - int(place))

    low, high = percentile(percent[0]), percentile(percent[1])
    if low == high:
        filled = np.flatnonzero(counts)
        return float(filled[0]), float(filled[-1])
    return low, high


def _scale_values(
    channel: np.ndarray, out: np.ndarray, percent: tuple[float, float], clip: bool, noise_floor: float
) -> None:
    """Scale floats or integers wider than 16 bits."""
    if channel.dtype.kind in "iu":
        # Compute differences from the minimum in unsigned arithmetic, which is exact at any width.
        values = (channel.astype(np.uint64) - channel.min().astype(np.uint64)).astype(np.float64)
    else:
        values = channel.astype(np.float64 if channel.dtype.itemsize > 4 else np.float32)
        check_finite(values)
    low, high = (float(value) for value in np.percentile(values, percent))
    if low == high:
        low, high = float(values.min()), float(values.max())
    if noise_floor:
        high = max(high, low + noise_floor * noise_level(values))
    out[...] = scale_between(values, low, high, clip)


def check_finite(values: np.ndarray) -> None:
    """Check that all values are finite and small enough for float32.

    Raises:
        ValueError: a value is NaN, infinite or too large.
    """
    # The minimum and maximum are NaN if any value is.
    if not (values.min() >= -_LARGEST and values.max() <= _LARGEST):
        bad = int(np.count_nonzero(~(np.abs(values) <= _LARGEST)))
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
