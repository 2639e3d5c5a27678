"""Measures of image quality: sharpness, saturation, and contrast relative to noise."""

from __future__ import annotations

import numpy as np

from cellseg_monai.pixels.normalise import noise_level

__all__ = ["contrast_over_noise", "saturated_share", "sharpness"]

# Factor by which the five-point Laplacian increases the variance of white noise: 4² + 4 · 1².
_NOISE_GAIN = 20


def sharpness(channel: np.ndarray) -> float:
    """Return the amount of fine detail relative to the variance of an image; it is low if the image is out of focus.

    Fine detail is measured as the variance of the Laplacian (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548;
    compared with other measures by Pertuz et al. 2013, doi:10.1016/j.patcog.2012.11.011). Dividing by the variance of
    the image makes the measure independent of exposure. Noise also counts as fine detail, and an image has the same
    noise whether or not it is in focus. Both variances are therefore reduced by the contribution of noise, estimated
    with `noise_level`. The slope of the power spectrum (Bray et al. 2012, doi:10.1177/1087057111420292) is worse at
    recognising blurred nuclei, because noise raises the slope again.

    Compare values only between images of similar objects at a similar pixel size.

    Args:
        channel: YX, any real dtype.

    Returns:
        A non-negative number, or NaN if the image contains only noise or has fewer than 3 rows or columns.

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
    """Return the fraction of pixels at the highest value if the detector was saturated, and 0 otherwise.

    Bray et al. 2012 (doi:10.1177/1087057111420292) use the fraction of pixels at the highest value. On its own, it
    would also count the brightest pixels in an unsaturated image, which are numerous in a dim image with few grey
    values. The detector therefore counts as saturated only if the highest value occurs more often than the next lower
    one.

    Args:
        channel: values of any shape and real dtype.

    Returns:
        A number between 0 and 1; 0 if the detector was not saturated or if all values are equal.

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
    """Return the range between two percentiles as a multiple of the noise.

    If the result is below `Preprocessing.noise_floor`, the image is not stretched to full contrast.

    Args:
        channel: YX, any real dtype.
        lower: lower percentile.
        upper: upper percentile.

    Returns:
        A non-negative number: 0 if the percentiles are equal, as in a constant image, and otherwise infinity if there
        is no noise.

    >>> rows = np.random.default_rng(0).normal(0, 1, (200, 200))
    >>> round(contrast_over_noise(rows)), contrast_over_noise(np.zeros((4, 4)))
    (6, 0.0)
    """
    low, high = np.percentile(channel, (lower, upper))
    if low == high:
        return 0.0
    noise = noise_level(channel)
    return float(high - low) / noise if noise else float("inf")
