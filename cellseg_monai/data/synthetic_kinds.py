"""Synthetic fluorescence images of two kinds of cells, with exact labels and the class of every cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellseg_monai.data.synthetic_optics import Bits, camera, illumination, smooth_noise
from cellseg_monai.data.synthetic_shapes import Canvas, Outline, SyntheticImage, random_outline

__all__ = ["KINDS_OF_CELLS", "two_kinds"]

Difference = Literal["shape", "texture"]

KINDS_OF_CELLS: dict[Difference, tuple[str, str]] = {"shape": ("round", "elongated"), "texture": ("smooth", "grainy")}
"""The names of the two kinds, by what they differ in."""

MIN_AREA_PX = 30
_GRAIN_PX, _CLOUD_PX = 0.9, 3.5


def two_kinds(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: int | np.random.SeedSequence,
    differ_in: Difference = "shape",
    share: float = 0.5,
    diameter_px: float | None = None,
    bits: Bits = 16,
) -> SyntheticImage:
    """Return an image of cells of two kinds, with the labels and classes it was rendered from.

    In shape, cells of the first kind are round and bright, and those of the second elongated and dim. In texture, all
    have the same distribution of shapes, sizes and mean brightnesses, but the stain is smooth in the first kind and
    grainy in the second, so nothing but the texture tells them apart.

    Args:
        shape: height and width in pixels, at least 32 each.
        seed: seed for the image; the same seed and arguments give the same bytes (with the same versions of NumPy and
            SciPy).
        differ_in: "shape" or "texture"; see `KINDS_OF_CELLS`.
        share: expected fraction of cells of the second kind, 0 to 1.
        diameter_px: median diameter in pixels of discs with the same area as the cells; by default, drawn at random
            between 20 and 30.
        bits: 16 for uint16, 8 for uint8.

    Raises:
        ValueError: an argument is out of range.

    >>> picture = two_kinds((96, 96), seed=1)
    >>> len(picture.classes) == picture.labels.max().item(), sorted(set(picture.classes))
    (True, ['elongated', 'round'])
    """
    if min(shape) < 32:
        raise ValueError(f"got shape={shape}, expected at least 32 × 32 px for cells; choose a larger shape")
    if differ_in not in KINDS_OF_CELLS:
        raise ValueError(f"got differ_in={differ_in!r}, expected shape or texture; choose one")
    if not 0 <= share <= 1:
        raise ValueError(f"got share={share}, expected a fraction between 0 and 1; try 0.5")
    rng = np.random.default_rng(seed)
    diameter = float(rng.uniform(20, 30)) if diameter_px is None else diameter_px
    canvas, second = _place(rng, shape, diameter, share, differ_in)
    labels, kept = canvas.finish(min_area_px=MIN_AREA_PX)
    is_second: NDArray[np.bool_] = np.array([False, *(second[index] for index in kept)])
    light = _emission(rng, canvas, labels, is_second, differ_in)
    light += rng.uniform(0.02, 0.06) + rng.uniform(0.05, 0.15) * ndimage.gaussian_filter(light, 0.6 * diameter)
    light *= illumination(rng, shape, fall_off=float(rng.uniform(0.05, 0.3)))
    image = _expose(rng, light, bits)
    names = KINDS_OF_CELLS[differ_in]
    return SyntheticImage(image, labels, tuple(names[int(kind)] for kind in is_second[1:]))


def _place(
    rng: np.random.Generator, shape: tuple[int, int], diameter: float, share: float, differ_in: Difference
) -> tuple[Canvas, list[bool]]:
    """Return the cells, a few of which touch, and whether each is of the second kind."""
    warp = np.stack([smooth_noise(rng, shape, diameter / 3) for _ in range(2)]) * diameter / 40
    canvas = Canvas(warp)
    second: list[bool] = []
    count = max(2, round(rng.uniform(0.15, 0.3) * shape[0] * shape[1] / (np.pi / 4 * diameter**2)))
    for _ in range(12 * count):
        if len(second) == count:
            break
        is_second = bool(rng.random() < share)
        outline = _draw(rng, diameter, is_second and differ_in == "shape", differ_in)
        centre = tuple(float(rng.uniform(-0.1 * diameter, side + 0.1 * diameter)) for side in shape)
        # Cells closer than a pixel press against each other.
        if canvas.add(replace(outline, centre=(centre[0], centre[1])), gap_px=0.0 if rng.random() < 0.3 else 2.0):
            second.append(is_second)
    return canvas, second


def _draw(rng: np.random.Generator, diameter: float, is_long: bool, differ_in: Difference) -> Outline:
    aspects = {"texture": (1.0, 2.0), "shape": (2.4, 3.6) if is_long else (1.0, 1.25)}
    size = float(np.exp(rng.normal(0, 0.12)))
    aspect = float(rng.uniform(*aspects[differ_in]))
    return random_outline(rng, radius_px=0.5 * diameter * size, aspect=aspect, roughness=0.04)


def _emission(
    rng: np.random.Generator,
    canvas: Canvas,
    labels: NDArray[np.int32],
    is_second: NDArray[np.bool_],
    differ_in: Difference,
) -> NDArray[np.float32]:
    """Return the light from the cells behind the lens, about 1 within an ordinary cell."""
    shape = (labels.shape[0], labels.shape[1])
    brightness = np.exp(rng.normal(0, 0.15, len(is_second)))
    grain = 0.12 * smooth_noise(rng, shape, _CLOUD_PX)
    if differ_in == "shape":
        brightness *= np.where(is_second, 0.5, 1.3)
    else:
        grain = np.where(is_second[labels], 0.3 * smooth_noise(rng, shape, _GRAIN_PX), grain)
    body = np.clip(1 - canvas.depth**2, 0, 1) ** 0.3 * np.maximum(1 + grain, 0.05) * (labels > 0)
    # Divide by the mean over each cell, so that texture does not change the brightness.
    areas = np.maximum(np.bincount(labels.ravel(), minlength=len(is_second)), 1)
    means = np.bincount(labels.ravel(), body.ravel(), minlength=len(is_second)) / areas
    factors = np.divide(brightness, means, out=np.zeros_like(means), where=means > 0)
    return ndimage.gaussian_filter(body * factors[labels], 0.7).astype(np.float32)


def _expose(rng: np.random.Generator, light: NDArray[np.float32], bits: Bits) -> NDArray[np.unsignedinteger]:
    electrons = float(np.exp(rng.uniform(np.log(600), np.log(3000))))  # from an ordinary cell
    level, offset = (3000.0, 200.0) if bits == 16 else (90.0, 8.0)
    return camera(rng, light * electrons, gain=level / electrons, offset=offset, read_noise=4.0, bits=bits)
