"""The noise in an image, estimated from the image itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["is_narrow", "noise_from_rows", "noise_level", "noise_of_rows", "rows_for_noise", "sampled_rows"]

# This many pixels give the noise level of an image to about three parts in a thousand.
_NOISE_SAMPLE_PX = 2**17


def is_narrow(dtype: np.dtype) -> bool:
    """Return True for 8-bit and 16-bit integers, for which a histogram can have a bin for every value."""
    return dtype.kind in "bui" and dtype.itemsize <= 2


def noise_level(channel: np.ndarray) -> float:
    """Estimate the standard deviation of the noise in an image, in the units of its pixel values.

    The image is filtered with a mask that cancels flat areas, slopes and straight edges (Immerkær 1996,
    doi:10.1006/cviu.1996.0060). The median of the absolute result gives the noise (Donoho and Johnstone 1994,
    doi:10.1093/biomet/81.3.425). Unlike the mean, the median is not affected by cell borders. Images with more than
    131,072 pixels are sampled in evenly spaced rows. If there are fewer than 3 rows or columns, the mask extends along
    the other axis only.

    Args:
        channel: YX. The result is 0 if there are fewer than 3 rows and fewer than 3 columns.

    >>> ramp = np.add.outer(np.arange(64), np.arange(64)).astype(float)
    >>> noise_level(ramp)
    0.0
    >>> noise = np.random.default_rng(0).normal(0, 5, (64, 64))
    >>> round(noise_level(ramp + noise)), round(noise_level(noise.reshape(1, -1)))
    (5, 5)
    """
    return noise_from_rows(lambda rows: channel[rows], (channel.shape[0], channel.shape[1]))


def noise_from_rows(read: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int]) -> float:
    """Estimate the noise in an image from the rows that `rows_for_noise` names; see `noise_level`.

    Args:
        read: function that takes indices of rows, and returns these rows as YX.
        shape: (Y, X) of the image.
    """
    rows = sampled_rows(shape)
    if not len(rows):
        return 0.0
    if shape[0] < 3:
        return _noise_of(_as_floats(read(rows)), axes=0)
    above, here, below = (read(rows + offset) for offset in (-1, 0, 1))
    return noise_of_rows(above, here, below)


def noise_of_rows(above: np.ndarray, here: np.ndarray, below: np.ndarray) -> float:
    """Estimate the noise in rows of an image; see `noise_level`.

    Args:
        above: YX, the row above each row in `here`.
        here: YX, the rows in which noise is measured.
        below: YX, the row below each row in `here`.
    """
    second = _as_floats(above)
    second += below
    second -= here
    second -= here
    return _noise_of(second, axes=1)


def rows_for_noise(shape: tuple[int, int]) -> np.ndarray:
    """Return the indices of all rows that `noise_from_rows` reads, in ascending order.

    Args:
        shape: (Y, X) of the image.
    """
    rows = sampled_rows(shape)
    return np.unique(np.concatenate([rows - 1, rows, rows + 1])) if shape[0] >= 3 else rows


def sampled_rows(shape: tuple[int, int], most_px: int = _NOISE_SAMPLE_PX) -> np.ndarray:
    """Return the indices of the rows in which noise is measured.

    They have a row above and below them, unless the image has fewer than 3 rows. There are none if the image has fewer
    than 3 rows and fewer than 3 columns.

    Args:
        shape: (Y, X) of the image.
        most_px: number of pixels up to which all rows are used; of a larger image, about this many pixels.
    """
    if shape[0] < 3:
        return np.arange(shape[0] if shape[1] >= 3 else 0)
    return np.arange(1, shape[0] - 1, max(1, shape[0] * shape[1] // most_px))


def _noise_of(differences: np.ndarray, axes: int) -> float:
    """Return the standard deviation of the noise, given second differences along one axis, or pixel values.

    Args:
        differences: YX, overwritten.
        axes: number of axes along which differences have been taken.
    """
    if differences.shape[1] >= 3:
        differences, axes = _across_columns(differences), axes + 1
    # 0.6745 is the median of |x| for a standard normal distribution. The norm of the mask is √6 for each axis.
    return _median(np.abs(differences, out=differences).ravel()) / (0.6745 * 6.0 ** (axes / 2))


def _across_columns(values: np.ndarray) -> np.ndarray:
    """Return the second differences between neighbouring columns."""
    differences: np.ndarray = values[:, :-2] + values[:, 2:]
    differences -= values[:, 1:-1]
    differences -= values[:, 1:-1]
    return differences


def _as_floats(values: np.ndarray) -> np.ndarray:
    """Return a copy in which second differences of 16-bit integers are exact."""
    return np.asarray(values.astype(np.float32 if is_narrow(values.dtype) else np.float64))


def _median(values: np.ndarray) -> float:
    """Return the median like `numpy.median`, but several times faster and reordering the values in place."""
    middle = len(values) // 2
    values.partition(middle)  # numpy vectorises this for a single position
    if np.isnan(values[middle:].max()):  # NaN sorts last
        return float("nan")
    if len(values) % 2:
        return float(values[middle])
    return (float(values[:middle].max()) + float(values[middle])) / 2
