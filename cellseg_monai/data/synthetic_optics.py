"""What lies between an object and its file: light, lens and camera."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Bits", "camera", "illumination", "smooth_noise", "stamp"]

Bits = Literal[8, 16]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> NDArray[np.float32]:
    """Random texture, (Y, X) float32, with mean 0, standard deviation 1 and grains of about `sigma_px`.

    Coarse textures are drawn on a coarse grid and interpolated, so that a wide
    grain takes no longer than a fine one.
    """
    step = max(1, int(sigma_px / 2))
    coarse = rng.standard_normal((shape[0] // step + 4, shape[1] // step + 4), np.float32)
    noise = ndimage.gaussian_filter(coarse, sigma_px / step, mode="wrap")
    if step > 1:
        rows, columns = (np.arange(size, dtype=np.float32) / step + 1 for size in shape)
        noise = _bilinear(noise, rows, columns)
        noise = ndimage.gaussian_filter(noise, step / 2)  # hides the knots of the interpolation
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
    """The brightness of a field lit from off its centre, (Y, X) float32, at most 1.

    Args:
        rng: source of the position of the brightest point.
        shape: (Y, X).
        fall_off: the part of the light that is lost at half the image's diagonal from the brightest point.
    """
    centre = [size * rng.uniform(0.25, 0.75) for size in shape]
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    squared = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    half_diagonal_squared = (shape[0] ** 2 + shape[1] ** 2) / 4
    # 1/(1+x) rather than 1-x: it cannot go below nothing far out.
    return (1 / (1 + fall_off / (1 - fall_off) * squared / half_diagonal_squared)).astype(np.float32)


def stamp(image: NDArray[np.float32], y: float, x: float, sigma_px: float, height: float) -> None:
    """Add a Gaussian spot to `image` in place."""
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
    """A camera's picture of the expected signal: shot noise, read noise, gain, offset, saturation, rounding.

    The model of EMVA Standard 1288 for a linear camera.

    Args:
        rng: source of the noise.
        electrons: (Y, X) expected number of electrons a pixel; below zero counts as zero.
        gain: grey levels per electron.
        offset: grey level of darkness.
        read_noise: standard deviation in electrons.
        bits: 8 gives uint8, 16 gives uint16; what exceeds the range is saturated.

    >>> dark = np.zeros((1, 2))
    >>> camera(np.random.default_rng(0), dark, gain=2, offset=100, read_noise=0, bits=16)
    array([[100, 100]], dtype=uint16)
    """
    counted = rng.poisson(np.maximum(electrons, 0)) + rng.normal(0, read_noise, electrons.shape)
    top = 2**bits - 1
    levels = np.clip(np.rint(counted * gain + offset), 0, top)
    return levels.astype(np.uint8 if bits == 8 else np.uint16)
