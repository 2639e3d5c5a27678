"""Images and labels brought to another pixel size, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = [
    "check_zoom",
    "nearest_pixels",
    "rescale",
    "rescale_labels",
    "rescale_window",
    "rescaled_shape",
    "shape_of_shorter_side",
    "zoomed_shape",
]

# Pixel sizes this near count as equal: resampling would cost sharpness and gain nothing.
_SAME_WITHIN = 0.02
_LARGEST_FACTOR = 20.0
# Standard deviations at which scipy cuts its Gaussian off.
_TRUNCATED_AT = 4.0


def rescaled_shape(shape: tuple[int, int], *, pixel_size_um: tuple[float, float], target_um: float) -> tuple[int, int]:
    """The shape of an image once its pixels have the target size.

    Factors within 2 % of 1 count as 1.

    Args:
        shape: (Y, X) of the image.
        pixel_size_um: (y, x), µm per pixel of the image.
        target_um: µm per pixel wanted, on both axes.

    Raises:
        ValueError: a size that is not positive, or a factor beyond 20 either way, which is a mistake
            of unit more often than a wish.

    >>> rescaled_shape((100, 200), pixel_size_um=(0.25, 0.25), target_um=0.5)
    (50, 100)
    """
    for size_um in pixel_size_um:
        if not (0 < size_um < np.inf and 1 / _LARGEST_FACTOR <= size_um / target_um <= _LARGEST_FACTOR):
            raise ValueError(
                f"pixel size {tuple(pixel_size_um)} µm against {target_um} µm wanted: expected both positive "
                f"and within a factor of {_LARGEST_FACTOR:.0f}; is one of them not in µm? correct it"
            )
    height, width = (_times(length, size_um / target_um) for length, size_um in zip(shape, pixel_size_um, strict=True))
    return height, width


def zoomed_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """The shape of an image that is brought to so many times its size.

    Factors within 2 % of 1 count as 1.

    Args:
        shape: (Y, X) of the image.
        factor: as `check_zoom` allows it.

    >>> zoomed_shape((100, 200), 0.5)
    (50, 100)
    """
    return _times(shape[0], factor), _times(shape[1], factor)


def check_zoom(factor: float) -> None:
    """Refuse to bring images to a size that no microscope's image needs.

    Raises:
        ValueError: a factor beyond 20 either way.

    >>> check_zoom(0.5)
    """
    if not 1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR:
        raise ValueError(
            f"zoom={factor:g} came, but a factor from {1 / _LARGEST_FACTOR:g} to {_LARGEST_FACTOR:g} was expected; "
            "correct the diameter or size that it was made of"
        )


def _times(length: int, factor: float) -> int:
    return length if abs(factor - 1) <= _SAME_WITHIN else max(1, round(length * factor))


def shape_of_shorter_side(shape: tuple[int, int], length: int) -> tuple[int, int]:
    """The shape of an image once its shorter side has this length, its proportions kept.

    Args:
        shape: (Y, X) of the image.
        length: of the shorter side, in pixels.

    >>> shape_of_shorter_side((200, 300), 50)
    (50, 75)
    """
    shorter = min(shape)
    if shorter == 0:
        return shape
    return max(1, round(shape[0] * length / shorter)), max(1, round(shape[1] * length / shorter))


def rescale(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """An image resampled to exactly this shape: linear, smoothed first where it shrinks.

    The outer edges of the image stay where they are (pixels are areas, not points), as in
    `rescale_labels`, so that the two stay aligned.

    Args:
        pixels: CYX.
        shape: (Y, X) wanted.

    Returns:
        CYX float32; `pixels` itself where it is float32 and has that shape already. Values stay within
        the range of `pixels`.

    >>> rescale(np.array([[[0, 0, 1, 1]]], np.float32), (1, 2)).shape
    (1, 1, 2)
    """
    if pixels.shape[1:] == tuple(shape):
        return pixels.astype(np.float32, copy=False)
    from skimage.transform import resize  # most of this package's time to import, and most bundles never rescale

    out: np.ndarray = np.empty((len(pixels), *shape), np.float32)
    for channel, resampled in zip(pixels, out, strict=True):
        resampled[...] = resize(
            channel.astype(np.float32), shape, order=1, mode="edge", anti_aliasing=True, preserve_range=True
        )
    return out


def rescale_window(
    read: Callable[[slice, slice], np.ndarray], shape: tuple[int, int], to: tuple[int, int], rows: slice, columns: slice
) -> np.ndarray:
    """A window of what `rescale` makes of an image, out of the pixels that it takes alone.

    Args:
        read: rows and columns to CYX pixels of the image.
        shape: (Y, X) of the image.
        to: (Y, X) of the whole resampled image.
        rows: of the window in it.
        columns: of the window in it.

    Returns:
        CYX float32, equal to that window of `rescale` within rounding.
    """
    if to == shape:
        return read(rows, columns).astype(np.float32, copy=False)
    axes = [_Resampled.of(*axis) for axis in zip(shape, to, (rows, columns), strict=True)]
    pixels: np.ndarray = read(axes[0].needed, axes[1].needed).astype(np.float32)
    sigmas = (0.0, axes[0].sigma, axes[1].sigma)
    if any(sigmas):
        pixels = ndimage.gaussian_filter(pixels, sigmas, mode="nearest")
    for number, axis in enumerate(axes, start=1):
        lower, upper = np.take(pixels, axis.lower, number), np.take(pixels, axis.upper, number)
        share = axis.share.reshape((-1, 1) if number == 1 else (-1,))
        pixels = lower + (upper - lower) * share
    return pixels


@dataclass(frozen=True)
class _Resampled:
    """The pixels of an axis that a window of the resampled one is made of."""

    needed: slice  # of the image
    sigma: float  # of the filter before it shrinks
    lower: np.ndarray  # places within `needed`
    upper: np.ndarray
    share: np.ndarray  # of the upper

    @classmethod
    def of(cls, length: int, to: int, window: slice) -> _Resampled:
        factor = length / to
        sigma = max(0.0, (factor - 1) / 2)
        places = (np.arange(window.start, window.stop) + 0.5) * factor - 0.5
        lower = np.floor(places).astype(np.intp)
        share = (places - lower).astype(np.float32)
        lower, upper = lower.clip(0, length - 1), (lower + 1).clip(0, length - 1)
        margin = int(_TRUNCATED_AT * sigma + 0.5)
        first, last = max(0, int(lower[0]) - margin), min(length, int(upper[-1]) + 1 + margin)
        return cls(slice(first, last), sigma, lower - first, upper - first, share)


def rescale_labels(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A label image resampled to exactly this shape by nearest neighbour.

    No id comes that was not there; an object smaller than a new pixel may go.

    Args:
        labels: YX, any dtype.
        shape: (Y, X) wanted.

    Returns:
        YX of the dtype of `labels`; `labels` itself where it has that shape already.

    >>> rescale_labels(np.array([[1, 0], [0, 7]]), (4, 2))
    array([[1, 0],
           [1, 0],
           [0, 7],
           [0, 7]])
    """
    if labels.shape == tuple(shape):
        return labels
    rows, columns = (nearest_pixels(old, new) for old, new in zip(labels.shape, shape, strict=True))
    return labels[np.ix_(rows, columns)]


def nearest_pixels(old: int, new: int) -> np.ndarray:
    """For each pixel along a side of the new length, the one of the old length that lies under its centre.

    >>> nearest_pixels(2, 5)
    array([0, 0, 1, 1, 1])
    """
    return (2 * np.arange(new) + 1) * old // (2 * new)  # (i + 1/2) * old / new, in whole numbers
