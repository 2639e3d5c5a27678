"""How well an image was taken: whether it is sharp, saturated, and more than noise."""

from __future__ import annotations

import numpy as np

from cellseg_monai.pixels.normalise import noise_level

__all__ = ["contrast_over_noise", "saturated_share", "sharpness"]

# What white noise of variance 1 becomes under the Laplacian of five points: 4² + 4 · 1².
_NOISE_GAIN = 20


def sharpness(channel: np.ndarray) -> float:
    """How much of an image's variance lies in its finest detail: the lower, the more out of focus.

    The variance of the Laplacian (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548; compared with others by
    Pertuz et al. 2013, doi:10.1016/j.patcog.2012.11.011), over the variance of the image, so that exposure does not
    matter. Noise is detail too, and what is out of focus has as much of it: its share, known from `noise_level`, is
    taken off both. The slope of the power spectrum (Bray et al. 2012, doi:10.1177/1087057111420292) tells blurred
    nuclei less well: with noise in it, it rises again.

    Numbers compare images of like objects at a like pixel size only.

    Args:
        channel: YX, any real dtype.

    Returns:
        From 0; NaN where there is nothing but noise, or fewer than 3 rows or columns.

    >>> edge = np.repeat([[0.0] * 8 + [1.0] * 8], 16, axis=0)
    >>> ramp = np.repeat([np.linspace(0, 1, 16)], 16, axis=0)
    >>> round(sharpness(edge), 2), round(sharpness(ramp), 2)
    (0.57, 0.0)
    """
    if min(channel.shape) < 3:
        return float("nan")
    values: np.ndarray = channel.astype(np.float32)
    noise = noise_level(values) ** 2
    detail = values[1:-1, :-2] + values[1:-1, 2:]
    detail += values[:-2, 1:-1]
    detail += values[2:, 1:-1]
    detail -= 4 * values[1:-1, 1:-1]
    signal = float(values.var(dtype=np.float64)) - noise
    if signal <= noise:
        return float("nan")
    return max(0.0, float(detail.var(dtype=np.float64)) - _NOISE_GAIN * noise) / signal


def saturated_share(channel: np.ndarray) -> float:
    """The share of pixels at the highest value, where they pile up there, as they do when light exceeds the detector.

    The percentage of maximal pixels (Bray et al. 2012, doi:10.1177/1087057111420292). In an image that is not
    saturated the few brightest pixels count there too, and of a dim one of few grey values many: so there is a pile
    only where the highest value is more frequent than the next lower one that occurs.

    Args:
        channel: of any shape and real dtype.

    Returns:
        0 to 1; 0 where there is no such pile, or a single value.

    >>> saturated_share(np.array([1, 2, 3, 4])), saturated_share(np.array([1, 2, 9, 9]))
    (0.0, 0.5)
    """
    if channel.size == 0:
        return 0.0
    highest = channel.max()
    below = channel[channel < highest]
    if not below.size:
        return 0.0
    at_top, next_lower = channel.size - below.size, int(np.count_nonzero(below == below.max()))
    return at_top / channel.size if at_top > next_lower else 0.0


def contrast_over_noise(channel: np.ndarray, lower: float = 0.1, upper: float = 99.9) -> float:
    """The range between two percentiles as a multiple of the noise: what `noise_floor` of a preparation speaks of.

    Args:
        channel: YX, any real dtype.
        lower: percentile.
        upper: percentile.

    Returns:
        From 0, of a constant image; infinite where there is no noise.

    >>> rows = np.random.default_rng(0).normal(0, 1, (200, 200))
    >>> round(contrast_over_noise(rows)), contrast_over_noise(np.zeros((4, 4)))
    (6, 0.0)
    """
    low, high = np.percentile(channel, (lower, upper))
    if low == high:
        return 0.0
    noise = noise_level(channel)
    return float(high - low) / noise if noise else float("inf")
