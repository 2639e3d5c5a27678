"""Planes of discs as a camera would record them."""

import numpy as np
from scipy import ndimage


def plane(*, blur: float = 1.0, seed: int = 0, radius: int = 12, most: float | None = None) -> tuple:
    """Return the pixels, CYX uint16, and the labels of 16 discs."""
    rows, columns = np.ogrid[:40, :40]
    disc = (rows - 20) ** 2 + (columns - 20) ** 2 <= radius**2
    mask = np.tile(disc, (4, 4))
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((40, 40), np.int32)).astype(np.int32) * mask
    light = ndimage.gaussian_filter(100 + 1000.0 * mask, blur)
    light += np.random.default_rng(seed).normal(0, 10, mask.shape)
    return np.minimum(light, most or light.max()).clip(0).astype(np.uint16)[np.newaxis], labels
