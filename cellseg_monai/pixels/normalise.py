"""Intensities brought to [0, 1] by percentiles of the whole image."""

from __future__ import annotations

import numpy as np

__all__ = ["check_percentiles", "noise_level", "normalise_percentiles"]

# About as many pixels tell the noise of an image as well as all of them.
_NOISE_SAMPLE_PX = 2**20

# Differences of two values within this limit still fit float32.
_LARGEST = float(np.finfo(np.float32).max) / 2


def check_percentiles(lower: float, upper: float) -> None:
    """Refuse percentiles that are out of range or out of order.

    Raises:
        ValueError: if so.

    >>> check_percentiles(1, 99)
    """
    if not 0 <= lower < upper <= 100:
        raise ValueError(
            f"lower percentile {lower} and upper percentile {upper} came, but 0 <= lower < upper <= 100 was "
            "expected; give percent, such as 0.1 and 99.9"
        )


def noise_level(channel: np.ndarray) -> float:
    """The standard deviation of the noise of an image, in its own units.

    The mask that cancels whatever is flat, sloped or a straight edge (Immerkær 1996, doi:10.1006/cviu.1996.0060),
    with the median in place of the mean (Donoho and Johnstone 1994, doi:10.1093/biomet/81.3.425), so that the
    borders of cells do not count as noise. Of images beyond a megapixel evenly spaced rows are used.

    Args:
        channel: YX; 0 comes back where it has fewer than 3 rows or columns.

    >>> ramp = np.add.outer(np.arange(64), np.arange(64)).astype(float)
    >>> noise_level(ramp)
    0.0
    >>> round(noise_level(ramp + np.random.default_rng(0).normal(0, 5, (64, 64))), 1)
    5.0
    """
    if min(channel.shape) < 3:
        return 0.0
    rows = np.arange(1, channel.shape[0] - 1, max(1, channel.size // _NOISE_SAMPLE_PX))
    second: np.ndarray = channel[rows - 1].astype(np.float64)
    second += channel[rows + 1]
    second -= 2.0 * channel[rows]
    second = second[:, :-2] - 2 * second[:, 1:-1] + second[:, 2:]
    # 0.6745: the median of |x| of a standard normal; 6: the norm of the mask.
    return float(np.median(np.abs(second))) / (0.6745 * 6)


def normalise_percentiles(
    pixels: np.ndarray, lower: float = 0.1, upper: float = 99.9, *, clip: bool = True, noise_floor: float = 0.0
) -> np.ndarray:
    """Every channel scaled so that its lower and upper percentiles become 0 and 1.

    To be called once on a whole image, never on crops: a crop without cells would have its noise
    stretched to full contrast, and tiles of one image would no longer agree.

    Values beyond the percentiles are clipped to [0, 1], so that a hot pixel or a piece of dirt stays
    within what the network was trained on. StarDist and Cellpose do not clip, MONAI leaves it open:
    pass `clip=False` for networks trained that way. Where the two percentiles coincide, as on an almost
    empty image, the channel's minimum and maximum stand in, so that a few bright cells do not vanish; a
    constant channel becomes zeros. Percentiles are interpolated as by `numpy.percentile`; for 8 and 16
    bit integers they come exactly from a histogram.

    A field without cells has nothing but noise between its percentiles, and stretching that makes a network see
    cells everywhere. `noise_floor` keeps the range at so many times the noise at least: nothing changes for
    images with contrast, and an empty one stays dark.

    Args:
        pixels: CYX, booleans, integers or floats of any width.
        lower: percentile in [0, 100) that becomes 0.
        upper: percentile in (0, 100] that becomes 1.
        clip: limit the result to [0, 1].
        noise_floor: least range between 0 and 1, as a multiple of `noise_level`; 0 for none.

    Returns:
        CYX float32, a new array.

    Raises:
        ValueError: percentiles out of order, a complex or object dtype, NaN or infinite values.

    >>> normalise_percentiles(np.array([[[10, 20, 30]]], np.uint16), 0, 100)
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    check_percentiles(lower, upper)
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"pixels of dtype {pixels.dtype} came; convert them to integers or floats first")
    out = np.empty(pixels.shape, np.float32)
    for channel, scaled in zip(pixels, out, strict=True):
        narrow = pixels.dtype.kind in "bui" and pixels.dtype.itemsize <= 2
        (_scale_levels if narrow else _scale_values)(channel, scaled, (lower, upper), clip, noise_floor)
    return out


def _scale_levels(
    channel: np.ndarray, out: np.ndarray, percent: tuple[float, float], clip: bool, noise_floor: float
) -> None:
    """Scale 8 and 16 bit integers: a histogram gives the percentiles, a table the result."""
    lowest = 0 if channel.dtype.kind in "bu" else int(np.iinfo(channel.dtype).min)
    codes: np.ndarray = (channel.astype(np.int32) - lowest).astype(np.uint16)
    counts = np.bincount(codes.ravel())
    table: np.ndarray = np.arange(len(counts), dtype=np.float64)
    low, high = _percentiles_of_counts(counts, percent)
    if low == high:
        low, high = float(np.flatnonzero(counts)[0]), float(len(counts) - 1)
    if noise_floor:
        high = max(high, low + noise_floor * noise_level(channel))
    np.take(_scaled(table, low, high, clip).astype(np.float32), codes, out=out, mode="clip")


def _percentiles_of_counts(counts: np.ndarray, percent: tuple[float, float]) -> tuple[float, float]:
    cumulative = np.cumsum(counts)

    def percentile(q: float) -> float:
        place = q / 100 * (int(cumulative[-1]) - 1)
        before = int(np.searchsorted(cumulative, int(place), side="right"))
        after = int(np.searchsorted(cumulative, int(np.ceil(place)), side="right"))
        return before + (after - before) * (place - int(place))

    return percentile(percent[0]), percentile(percent[1])


def _scale_values(
    channel: np.ndarray, out: np.ndarray, percent: tuple[float, float], clip: bool, noise_floor: float
) -> None:
    """Scale floats and wide integers."""
    if channel.dtype.kind in "iu":
        # Differences from the minimum, in unsigned arithmetic, which is exact at any width.
        values = (channel.astype(np.uint64) - channel.min().astype(np.uint64)).astype(np.float64)
    else:
        values = channel.astype(np.float64 if channel.dtype.itemsize > 4 else np.float32)
        _check_finite(values)
    low, high = (float(value) for value in np.percentile(values, percent))
    if low == high:
        low, high = float(values.min()), float(values.max())
    if noise_floor:
        high = max(high, low + noise_floor * noise_level(values))
    out[...] = _scaled(values, low, high, clip)


def _check_finite(values: np.ndarray) -> None:
    # Minimum and maximum are NaN if any value is.
    if not (values.min() >= -_LARGEST and values.max() <= _LARGEST):
        bad = int(np.count_nonzero(~(np.abs(values) <= _LARGEST)))
        raise ValueError(
            f"{bad} of {values.size} values are NaN, infinite or beyond ±{_LARGEST:.1e}; "
            "replace them, for example by numpy.nan_to_num, or repair the file"
        )


def _scaled(values: np.ndarray, low: float, high: float, clip: bool) -> np.ndarray:
    """(values - low) / (high - low), worked in place."""
    if low == high:
        return np.zeros_like(values)
    if clip:
        # Before the division, which could otherwise overflow for values far outside.
        np.clip(values, low, high, out=values)
    values -= low
    values /= high - low
    return np.clip(values, 0, 1, out=values) if clip else values
