"""Resample images and labels to another pixel size and back."""

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
    "within_reach",
    "zoom_for_objects",
    "zoomed_shape",
]

# Pixel sizes that differ by less than this count as equal, because resampling would only reduce sharpness.
_SAME_WITHIN = 0.02
_LARGEST_FACTOR = 20.0
# Sizes of objects, as fractions of the size that a network was trained on, between which resampling costs more than it
# gains. `python benchmarks/kept_sizes.py` measures it.
_LEAST_KEPT, _MOST_KEPT = 0.7, 1.3
# Number of standard deviations at which SciPy truncates its Gaussian filter.
_TRUNCATED_AT = 4.0


def rescaled_shape(shape: tuple[int, int], *, pixel_size_um: tuple[float, float], target_um: float) -> tuple[int, int]:
    """Return the shape of an image after resampling to a target pixel size.

    Factors within 2 % of 1 count as 1.

    Args:
        shape: (Y, X) of the image.
        pixel_size_um: (y, x) pixel size of the image, in µm.
        target_um: target pixel size along both axes, in µm.

    Raises:
        ValueError: a pixel size is not positive, or the factor is above 20 or below 1/20, which usually means that the
            unit is wrong.

    >>> rescaled_shape((100, 200), pixel_size_um=(0.25, 0.25), target_um=0.5)
    (50, 100)
    """
    for size_um in pixel_size_um:
        if not (0 < size_um < np.inf and 1 / _LARGEST_FACTOR <= size_um / target_um <= _LARGEST_FACTOR):
            raise ValueError(
                f"got a pixel size of {tuple(pixel_size_um)} µm and a target of {target_um} µm, expected positive "
                f"values within a factor of {_LARGEST_FACTOR:.0f} of each other; check that both are in µm"
            )
    height, width = (
        _scaled_length(length, size_um / target_um) for length, size_um in zip(shape, pixel_size_um, strict=True)
    )
    return height, width


def zoomed_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return the shape of an image after enlarging it by a factor.

    Factors within 2 % of 1 count as 1.

    Args:
        shape: (Y, X) of the image.
        factor: factor that `check_zoom` accepts.

    >>> zoomed_shape((100, 200), 0.5)
    (50, 100)
    """
    return _scaled_length(shape[0], factor), _scaled_length(shape[1], factor)


def check_zoom(factor: float) -> None:
    """Check that a zoom factor is plausible for microscope images.

    Args:
        factor: factor by which images will be enlarged.

    Raises:
        ValueError: the factor is above 20 or below 1/20.

    >>> check_zoom(0.5)
    """
    if not 1 / _LARGEST_FACTOR <= factor <= _LARGEST_FACTOR:
        raise ValueError(
            f"got zoom={factor:g}, expected a factor between {1 / _LARGEST_FACTOR:g} and {_LARGEST_FACTOR:g}; "
            "check the diameter or pixel size from which it was computed"
        )


def zoom_for_objects(diameter_px: float, target_px: float) -> float:
    """Return the factor by which an image is enlarged so that its objects suit a network.

    A network that was trained on objects of one size, with some variation, also finds somewhat smaller and larger ones.
    Resampling blurs outlines, so an image whose objects are not far from the target keeps its size. Smaller objects are
    enlarged only until they are large enough, because enlarging adds no detail. Larger ones are reduced to the target.

    Args:
        diameter_px: typical diameter of the objects in the image.
        target_px: typical diameter of the objects on which the network was trained.

    >>> [zoom_for_objects(diameter, 28) for diameter in (7, 14, 20, 28, 36, 56)]
    [2.8, 1.4, 1.0, 1.0, 1.0, 0.5]
    """
    relative = diameter_px / target_px
    if relative > _MOST_KEPT:
        return 1 / relative
    return max(_LEAST_KEPT / relative, 1.0)


def within_reach(diameter_px: float, target_px: float) -> float:
    """Return a diameter, or the nearest one that a zoom factor can bring to a target.

    Args:
        diameter_px: diameter of objects in an image.
        target_px: diameter that they should have.

    >>> within_reach(90, 30), within_reach(9000, 30)
    (90, 600.0)
    """
    return min(max(diameter_px, target_px / _LARGEST_FACTOR), target_px * _LARGEST_FACTOR)


def _scaled_length(length: int, factor: float) -> int:
    """Multiply a length in pixels by a factor, treating factors close to 1 as 1."""
    return length if abs(factor - 1) <= _SAME_WITHIN else max(1, round(length * factor))


def shape_of_shorter_side(shape: tuple[int, int], length: int) -> tuple[int, int]:
    """Return the shape of an image after scaling its shorter side to a given length, keeping the proportions.

    Args:
        shape: (Y, X) of the image.
        length: new length of the shorter side, in pixels.

    >>> shape_of_shorter_side((200, 300), 50)
    (50, 75)
    """
    shorter = min(shape)
    if shorter == 0:
        return shape
    return max(1, round(shape[0] * length / shorter)), max(1, round(shape[1] * length / shorter))


def rescale(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resample an image to a given shape by linear interpolation, smoothing it first if it shrinks.

    Pixels are treated as areas, not points, so the outer edges of the image stay where they are. `rescale_labels` does
    the same, so images and labels stay aligned.

    Args:
        pixels: CYX.
        shape: (Y, X) of the result.

    Returns:
        CYX float32, with values in the range of `pixels`. If `pixels` is float32 and already has the requested shape,
        it is returned unchanged.

    >>> rescale(np.array([[[0, 0, 1, 1]]], np.float32), (1, 2)).shape
    (1, 1, 2)
    """
    if pixels.shape[1:] == tuple(shape):
        return pixels.astype(np.float32, copy=False)
    from skimage.transform import resize  # slow to import, and most bundles never rescale

    resampled: np.ndarray = np.empty((len(pixels), *shape), np.float32)
    for channel, target in zip(pixels, resampled, strict=True):
        target[...] = resize(
            channel.astype(np.float32), shape, order=1, mode="edge", anti_aliasing=True, preserve_range=True
        )
    return resampled


def rescale_window(
    read: Callable[[slice, slice], np.ndarray], shape: tuple[int, int], to: tuple[int, int], rows: slice, columns: slice
) -> np.ndarray:
    """Compute a window of the result of `rescale`, reading only the pixels that contribute to the window.

    Args:
        read: function that returns the CYX pixels of the image in the given rows and columns.
        shape: (Y, X) of the image.
        to: (Y, X) of the whole resampled image.
        rows: rows of the window in the resampled image.
        columns: columns of the window in the resampled image.

    Returns:
        CYX float32, equal to the same window of the result of `rescale` up to rounding.
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
    """The pixels along an axis that contribute to a window of the resampled axis."""

    needed: slice  # range of contributing pixels in the image
    sigma: float  # standard deviation of the Gaussian filter that is applied before shrinking
    lower: np.ndarray  # for each resampled pixel, the index within `needed` of the pixel before it
    upper: np.ndarray  # for each resampled pixel, the index within `needed` of the pixel after it
    share: np.ndarray  # weight of the upper pixel

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
    """Resample a label image to a given shape by nearest neighbour.

    The result contains no new ids. Objects smaller than a pixel of the result can vanish.

    Args:
        labels: YX, any dtype.
        shape: (Y, X) of the result.

    Returns:
        YX with the dtype of `labels`; `labels` itself if it already has the requested shape.

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
    """Return the index of the old pixel under the centre of each new pixel, along one axis.

    Args:
        old: old length of the axis, in pixels.
        new: new length of the axis, in pixels.

    >>> nearest_pixels(2, 5)
    array([0, 0, 1, 1, 1])
    """
    return (2 * np.arange(new) + 1) * old // (2 * new)  # (i + 1/2) * old / new, in integers
