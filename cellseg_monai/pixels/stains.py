"""Changing the colours of stained tissue, as stains, scanners and laboratories do."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["restained", "turned_hue"]

# Light absorbed by haematoxylin, eosin and DAB in red, green and blue: Ruifrok and Johnston, Quantification of
# histochemical staining by color deconvolution, 2001.
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
_DARKEST = 0.05  # share of the light that passes a pixel of brightness 1


def restained(pixels: np.ndarray, gains: Sequence[float], shifts: Sequence[float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Change how much of each stain an image shows.

    The image is divided into haematoxylin, eosin and DAB, as in Tellez et al., Quantifying the effects of data
    augmentation and stain color normalization in convolutional neural networks for computational pathology, 2019
    (doi:10.1016/j.media.2019.101544).

    Args:
        pixels: 3×Y×X red, green and blue from 0 (no stain) to 1 (dark stain), as from `prepare` with inverted images.
        gains: factor for each stain.
        shifts: amount to add to each stain.

    Returns:
        3×Y×X float32 from 0 to 1.

    >>> purple = np.array([0.6, 0.7, 0.3]).reshape(3, 1, 1)
    >>> [round(float(value), 3) for value in restained(purple, (1, 1, 1)).ravel()]
    [0.6, 0.7, 0.3]
    >>> bool(restained(purple, (0, 1, 1)).mean() < 0.5)
    True
    """
    absorbed = -np.log1p(-(1 - _DARKEST) * np.clip(pixels, 0, 1))
    mixed = np.linalg.inv(_STAINS) @ np.diag(gains) @ _STAINS
    added = np.asarray(shifts) @ _STAINS
    changed = np.einsum("cyx,cd->dyx", absorbed, mixed) + added[:, np.newaxis, np.newaxis]
    return np.clip(-np.expm1(-changed) / (1 - _DARKEST), 0, 1).astype(np.float32)


def turned_hue(pixels: np.ndarray, angle: float, saturation: float = 1.0) -> np.ndarray:
    """Turn the colours of an image around the grey axis, so that grey stays grey.

    Args:
        pixels: 3×Y×X red, green and blue from 0 to 1.
        angle: angle in radians; 2π/3 turns red into green.
        saturation: factor for the distance of each colour from grey; 0 makes the image grey.

    Returns:
        3×Y×X float32 from 0 to 1.

    >>> turned_hue(np.array([0.5, 0, 0]).reshape(3, 1, 1), 2 * math.pi / 3).ravel().round(6).tolist()
    [0.0, 0.5, 0.0]
    """
    grey = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = grey + saturation * (math.cos(angle) * (np.eye(3) - grey) + math.sin(angle) * across)
    return np.clip(np.einsum("dc,cyx->dyx", turn, pixels), 0, 1).astype(np.float32)
