"""Changes to images that should not change what is found in them: other zooms, margins without data, uneven light."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.pixels.scale import rescale, rescale_labels, zoomed_shape

__all__ = ["ALTERATIONS", "data_mask", "raise_background", "vignette", "write_image", "zoom_image", "zoom_labels"]

Shape = tuple[int, int]


def zoom_image(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Resample an image, keeping its dtype.

    Args:
        pixels: CYX.
        factor: factor by which the image is enlarged.
    """
    zoomed = rescale(pixels, zoomed_shape(pixels.shape[-2:], factor))
    return np.round(zoomed).astype(pixels.dtype) if pixels.dtype.kind in "iu" else zoomed.astype(pixels.dtype)


def zoom_labels(labels: np.ndarray, factor: float) -> np.ndarray:
    """Resample a YX label image, as `zoom_image` resamples its image."""
    return rescale_labels(labels, zoomed_shape(labels.shape, factor))


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write a CYX image as a TIFF; three or four channels are red, green, blue and an alpha that is left out."""
    if len(pixels) in (3, 4):
        tifffile.imwrite(path, np.moveaxis(pixels[:3], 0, -1), photometric="rgb", compression="zlib")
    else:
        (plane,) = pixels
        tifffile.imwrite(path, plane, photometric="minisblack", compression="zlib")


def data_mask(shape: Shape, name: str) -> np.ndarray:
    """Return a YX mask, False in a margin without data.

    Args:
        shape: (Y, X) of the image.
        name: `one row`: the first row. `stripe`: an eighth of the image at the left. `corner`: two fifths of height and
            width, so that the data are L-shaped. `rotated field`: all outside a rectangle turned by 12°. `round field`:
            all outside the largest circle.
    """
    height, width = shape
    y, x = np.ogrid[:height, :width]
    mask: np.ndarray = np.ones(shape, bool)
    if name == "one row":
        mask[0] = False
    elif name == "stripe":
        mask[:, : width // 8] = False
    elif name == "corner":
        mask[: 2 * height // 5, : 2 * width // 5] = False
    elif name == "rotated field":
        across, down = _turned(shape, np.deg2rad(12))
        mask = (abs(across) <= 0.42 * width) & (abs(down) <= 0.42 * height)
    elif name == "round field":
        mask = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) <= min(shape) / 2
    else:
        raise ValueError(f"got margin {name!r}, expected one of {', '.join(MARGINS)}; change it")
    return mask


MARGINS = ("one row", "stripe", "corner", "rotated field", "round field")


def _turned(shape: Shape, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of each pixel along the axes of a frame turned about the centre of the image."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def vignette(pixels: np.ndarray, loss: float = 0.5) -> np.ndarray:
    """Darken a CYX image towards its corners, which lose the given share of their light."""
    height, width = pixels.shape[-2:]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 - loss * (y**2 + x**2) / 2
    return np.asarray((pixels * light).astype(pixels.dtype))


def raise_background(pixels: np.ndarray) -> np.ndarray:
    """Add twice the range of intensities to a CYX image, whose background is then far from zero; returns uint16."""
    low, high = np.percentile(pixels, (0.1, 99.9))
    room = np.iinfo(np.uint16).max - int(pixels.max())
    return (pixels.astype(np.int64) + min(room, round(2 * (high - low)))).astype(np.uint16)


def _without_data(name: str, value: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pixels: np.where(data_mask(pixels.shape[-2:], name), pixels, value(pixels)).astype(pixels.dtype)


def _black(pixels: np.ndarray) -> float:
    return 0


def _white(pixels: np.ndarray) -> float:
    return np.iinfo(pixels.dtype).max


ALTERATIONS: dict[str, tuple[str | None, Callable[[np.ndarray], np.ndarray]]] = {
    **{f"black {name}": (name, _without_data(name, _black)) for name in MARGINS},
    "white stripe": ("stripe", _without_data("stripe", _white)),
    "vignette": (None, vignette),
    "raised background": (None, raise_background),
}
"""Each change by its name: the name of the margin that it makes, if any, and a function of the CYX pixels."""
