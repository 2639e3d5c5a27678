"""Images of a few bright cells, which the bundle `nuclei` finds."""

import numpy as np


def cells(seed: int = 0, shape: tuple[int, int] = (96, 96), count: int = 5) -> np.ndarray:
    """Return a uint16 image of discs with a diameter of 16 pixels on noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    image = rng.normal(300, 20, shape)
    for y, x in zip(rng.integers(10, shape[0] - 10, count), rng.integers(10, shape[1] - 10, count), strict=True):
        image += 2000.0 * ((rows - y) ** 2 + (columns - x) ** 2 < 64)
    return image.clip(0, 65_535).astype(np.uint16)
