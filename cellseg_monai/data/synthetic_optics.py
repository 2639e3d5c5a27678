"""The optics in synthetic images: light, lens and camera."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Bits", "camera", "illumination", "smooth_noise", "stamp"]

Bits = Literal[8, 16]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> NDArray[np.float32]:
    """Return a random texture with mean 0 and standard deviation 1.

    Coarse textures are drawn on a coarse grid and interpolated, so they take no longer than fine ones.

    Args:
        rng: random number generator.
        shape: height and width in pixels.
        sigma_px: approximate grain size in pixels.

    Returns:
        YX float32.
    """
    step = max(1, int(sigma_px / 2))
    coarse = rng.standard_normal((shape[0] // step + 4, shape[1] // step + 4), np.float32)
    noise = ndimage.gaussian_filter(coarse, sigma_px / step, mode="wrap")
    if step > 1:
        rows, columns = (np.arange(size, dtype=np.float32) / step + 1 for size in shape)
        noise = _bilinear(noise, rows, columns)
        noise = ndimage.gaussian_filter(noise, step / 2)  # smooths kinks left by the interpolation
    noise = noise[: shape[0], : shape[1]]
    spread = float(noise.std())
    return ((noise - noise.mean()) / (spread if spread > 0 else 1.0)).astype(np.float32)


def _bilinear(grid: NDArray[np.float32], rows: NDArray, columns: NDArray) -> NDArray[np.float32]:
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None], (columns - left)[None]
    upper = grid[top][:, left] * (1 - right) + grid[top][:, left + 1] * right
    lower = grid[top + 1][:, left] * (1 - right) + grid[top + 1][:, left + 1] * right
    return upper * (1 - down) + lower * down


def illumination(rng: np.random.Generator, shape: tuple[int, int], fall_off: float) -> NDArray[np.float32]:
    """Return the brightness of a field that is lit off-centre.

    Args:
        rng: random number generator that places the brightest point.
        shape: height and width in pixels.
        fall_off: fraction of the light lost at a distance of half the image diagonal from the brightest point, 0 to 1.

    Returns:
        YX float32, at most 1.
    """
    centre = [size * rng.uniform(0.25, 0.75) for size in shape]
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    squared = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    half_diagonal_squared = (shape[0] ** 2 + shape[1] ** 2) / 4
    # Use 1/(1+x), because 1-x would become negative far from the centre.
    return (1 / (1 + fall_off / (1 - fall_off) * squared / half_diagonal_squared)).astype(np.float32)


def stamp(image: NDArray[np.float32], y: float, x: float, sigma_px: float, height: float) -> None:
    """Add a Gaussian spot to an image, in place.

    Args:
        image: YX image, changed in place.
        y: row of the centre, in pixels.
        x: column of the centre, in pixels.
        sigma_px: standard deviation of the Gaussian, in pixels.
        height: value added at the centre.
    """
    reach = int(np.ceil(3 * sigma_px))
    window = tuple(
        slice(max(0, int(c) - reach), max(0, min(size, int(c) + reach + 1)))
        for c, size in zip((y, x), image.shape, strict=True)
    )
    rows, columns = np.ogrid[window]
    image[window] += height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma_px**2))


def camera(
    rng: np.random.Generator,
    electrons: NDArray[np.floating],
    *,
    gain: float,
    offset: float,
    read_noise: float,
    bits: Bits,
) -> NDArray[np.unsignedinteger]:
    """Return the image that a camera records, with shot noise, read noise, gain, offset, saturation and rounding.

    This is the model of a linear camera in EMVA Standard 1288.

    Args:
        rng: random number generator for the noise.
        electrons: YX, expected number of electrons in each pixel; negative numbers count as 0.
        gain: grey levels per electron.
        offset: grey level of a dark pixel.
        read_noise: standard deviation of the read noise, in electrons.
        bits: 8 for uint8, 16 for uint16; values outside the range saturate.

    >>> dark = np.zeros((1, 2))
    >>> camera(np.random.default_rng(0), dark, gain=2, offset=100, read_noise=0, bits=16)
    array([[100, 100]], dtype=uint16)
    """
    counted = rng.poisson(np.maximum(electrons, 0)) + rng.normal(0, read_noise, electrons.shape)
    top = 2**bits - 1
    levels = np.clip(np.rint(counted * gain + offset), 0, top)
    return levels.astype(np.uint8 if bits == 8 else np.uint16)
