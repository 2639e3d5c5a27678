"""Synthetic phase-contrast and bright-field images of cultured cells, with exact labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellseg_monai.data.synthetic_optics import Bits, camera, illumination, smooth_noise, stamp
from cellseg_monai.data.synthetic_shapes import Canvas, Outline, SyntheticImage, random_outline

__all__ = ["Contrast", "phase_cells"]

Contrast = Literal["phase", "brightfield"]

MIN_AREA_PX = 30


@dataclass(frozen=True)
class _Cell:
    """A cell, with its outline and its effect on light."""

    outline: Outline
    delay: float  # delay of the light at the thickest point, in radians
    rounded: bool  # True if the cell is rounded up for division


def phase_cells(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: int | np.random.SeedSequence,
    count: int | None = None,
    diameter_px: float | None = None,
    contrast: Contrast = "phase",
    bits: Bits = 8,
) -> SyntheticImage:
    """Return a phase-contrast or bright-field image of unstained cells, with the labels it was rendered from.

    The cells are spread out and have protrusions. Some touch, and a few are rounded up for division. The model computes
    how much each part of a cell delays the light: the cell body, the nucleus with its nucleoli, and the granules.

    In phase contrast, the image shows the delay minus its own local mean, because the phase ring also dims light that
    the cell bends only slightly. This causes the bright halo around a cell and the shade-off inside it (Yin, Kanade and
    Chen 2012, "Understanding the phase contrast optics to restore artifact-free microscopy images",
    doi:10.1016/j.media.2011.12.006). In bright field, slightly out of focus, the image shows the curvature of the delay
    (transport of intensity; Teague 1983, doi:10.1364/JOSA.73.001434).

    Args:
        shape: height and width in pixels, at least 32 each.
        seed: seed for the image; the same seed and arguments give the same bytes (with the same versions of NumPy and
            SciPy).
        count: number of cells to place if there is room; by default, enough to cover 15 to 50 % of the image.
        diameter_px: median diameter in pixels of discs with the same area as the cells; by default, drawn at random
            between 32 and 48.
        contrast: "phase" or "brightfield".
        bits: 8 for uint8, 16 for uint16.

    Raises:
        ValueError: an argument is out of range.

    >>> picture = phase_cells((64, 96), seed=1, count=2)
    >>> picture.image.shape, picture.image.dtype, picture.labels.dtype
    ((64, 96), dtype('uint8'), dtype('int32'))
    """
    if min(shape) < 32:
        raise ValueError(f"got shape={shape}, expected at least 32 × 32 px for cells; choose a larger shape")
    if contrast not in ("phase", "brightfield"):
        raise ValueError(f"got contrast={contrast!r}, expected 'phase' or 'brightfield'; choose one")
    if count is not None and count < 0:
        raise ValueError(f"got count={count}, expected a non-negative number; choose a larger count")
    if diameter_px is not None and diameter_px < 8:
        raise ValueError(f"got diameter_px={diameter_px}, expected at least 8; choose a larger diameter")
    if bits not in (8, 16):
        raise ValueError(f"got bits={bits}, expected 8 or 16; choose one")
    rng = np.random.default_rng(seed)
    diameter = float(rng.uniform(32, 48)) if diameter_px is None else diameter_px
    covered = float(rng.uniform(0.15, 0.5))
    if count is None:
        count = max(1, round(covered * shape[0] * shape[1] / (np.pi / 4 * diameter**2)))
    canvas, placed = _place(rng, shape, count, diameter)
    labels, kept = canvas.finish(min_area_px=MIN_AREA_PX)
    delay = _delay(rng, canvas, labels, [placed[index] for index in kept], diameter)
    delay += _dirt(rng, shape)
    view = _phase_contrast(rng, delay, diameter) if contrast == "phase" else _bright_field(rng, delay)
    view *= illumination(rng, shape, fall_off=float(rng.uniform(0.03, 0.2)))
    view *= 1 + rng.uniform(0.005, 0.025) * smooth_noise(rng, shape, 30)
    return SyntheticImage(_expose(rng, view, bits), labels)


def _place(rng: np.random.Generator, shape: tuple[int, int], count: int, diameter: float) -> tuple[Canvas, list[_Cell]]:
    warp = np.stack([smooth_noise(rng, shape, diameter / 3.5) for _ in range(2)]) * diameter / 14
    warp += np.stack([smooth_noise(rng, shape, diameter / 12) for _ in range(2)]) * diameter / 50
    canvas = Canvas(warp)
    placed: list[_Cell] = []
    spindly = float(rng.uniform(0, 1))  # shape of the cell line, from cobblestone (0) to fibroblast (1)
    for _ in range(15 * count):
        if len(placed) == count:
            break
        cell = _draw(rng, diameter, spindly)
        in_contact = bool(placed) and rng.random() < 0.4
        if in_contact:
            neighbour = placed[int(rng.integers(len(placed)))].outline
            direction = np.array([rng.uniform(-np.pi, np.pi)])
            distance = (neighbour.radius(direction) + cell.outline.radius(direction + np.pi)) * 0.95
            y = neighbour.centre[0] + (np.sin(direction) * distance).item()
            x = neighbour.centre[1] + (np.cos(direction) * distance).item()
        else:
            y, x = (rng.uniform(-0.1 * diameter, size + 0.1 * diameter) for size in shape)
        outline = replace(cell.outline, centre=(float(y), float(x)))
        if canvas.add(outline, gap_px=0.0 if in_contact else 3.0, bend=0.15 if cell.rounded else 1.0):
            placed.append(replace(cell, outline=outline))
    return canvas, placed


def _draw(rng: np.random.Generator, diameter: float, spindly: float) -> _Cell:
    if rng.random() < 0.1:
        outline = random_outline(
            rng,
            radius_px=diameter * rng.uniform(0.22, 0.32),
            aspect=float(rng.uniform(1, 1.2)),
            roughness=0.02,
        )
        return _Cell(outline, float(rng.uniform(4.5, 7.0)), rounded=True)
    size = float(np.exp(rng.normal(0, 0.25)))
    aspect = float(1 + rng.gamma(2, 0.15 + 0.55 * spindly))
    bumps = [(float(pole + rng.normal(0, 0.3)), 0.2, float(rng.uniform(0, 0.9))) for pole in (0.0, np.pi)]
    for _ in range(int(rng.integers(0, 4))):
        bumps.append((float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.1, 0.25)), float(rng.uniform(0.2, 0.7))))
    outline = random_outline(
        rng, radius_px=0.45 * diameter * size, aspect=min(aspect, 5.0), roughness=0.1, bumps=tuple(bumps)
    )
    return _Cell(outline, float(rng.uniform(0.9, 2.0)), rounded=False)


def _delay(
    rng: np.random.Generator,
    canvas: Canvas,
    labels: NDArray[np.int32],
    kept: list[_Cell],
    diameter: float,
) -> NDArray[np.float32]:
    """Return the delay of the light at each pixel, in radians."""
    shape = (labels.shape[0], labels.shape[1])
    thickest = np.array([0.0] + [cell.delay for cell in kept], np.float32)[labels]
    rounded = np.array([False] + [cell.rounded for cell in kept])[labels]
    dome = np.sqrt(np.clip(1 - canvas.depth**2, 0, 1))
    # A spread cell is a thin sheet that swells towards its nucleus; a rounded cell is a ball.
    sheet = 0.45 * np.clip((1 - canvas.depth) / 0.15, 0, 1) + 0.55 * np.clip(1 - canvas.depth, 0, 1) ** 1.2
    body = thickest * np.where(rounded, dome, sheet)
    inside = (labels > 0) & ~rounded
    grain = 0.16 * smooth_noise(rng, shape, 1.0) + 0.2 * smooth_noise(rng, shape, 2.5)
    body *= 1 + np.where(inside, grain, 0)
    organelles = np.zeros(shape, np.float32)
    for cell in kept:
        if not cell.rounded:
            _organelles(rng, organelles, cell, diameter)
    return (ndimage.gaussian_filter(body, 0.7) + np.where(inside, organelles, 0)).astype(np.float32)


def _organelles(rng: np.random.Generator, image: NDArray[np.float32], cell: _Cell, diameter: float) -> None:
    y, x = cell.outline.centre
    nucleus = 0.16 * diameter
    stamp(image, y, x, 0.8 * nucleus, 0.25)
    for _ in range(int(rng.integers(1, 5))):  # nucleoli
        offset = rng.normal(0, 0.5 * nucleus, 2)
        stamp(image, y + offset[0], x + offset[1], diameter * rng.uniform(0.018, 0.035), rng.uniform(0.5, 1.2))
    for _ in range(rng.poisson(12)):  # granules and vacuoles around the nucleus
        distance, direction = nucleus * (1 + rng.exponential(0.6)), rng.uniform(0, 2 * np.pi)
        height = rng.uniform(0.3, 0.9) * (1 if rng.random() < 0.7 else -1)
        stamp(image, y + distance * np.sin(direction), x + distance * np.cos(direction), rng.uniform(0.6, 1.1), height)


def _dirt(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the delay caused by clumps of protein and cell debris on the glass, which are not labelled."""
    delay: NDArray[np.float32] = np.zeros(shape, np.float32)
    for _ in range(rng.poisson(12 * shape[0] * shape[1] / 256**2)):
        y, x = (rng.uniform(0, size) for size in shape)
        height = float(rng.uniform(0.1, 0.4))
        for _ in range(int(rng.integers(1, 7))):
            stamp(delay, y, x, rng.uniform(0.7, 1.5), height)
            y, x = y + rng.normal(0, 2), x + rng.normal(0, 2)
    return delay


def _phase_contrast(rng: np.random.Generator, delay: NDArray[np.float32], diameter: float) -> NDArray[np.float32]:
    """Return the positive phase-contrast view, in which points that delay light more than their surroundings are dark.

    The empty field is 1.
    """
    ring = diameter * rng.uniform(0.1, 0.16)
    halo = 0.7 * ndimage.gaussian_filter(delay, ring) + 0.3 * ndimage.gaussian_filter(delay, 0.35 * ring)
    # The sine makes cells thicker than a quarter wave bright again, so rounded cells begin to glow.
    difference = delay - halo
    view = 1 - rng.uniform(0.45, 0.65) * np.sin(np.clip(1.2 * difference, -1.5, 4.6))
    # Rounded cells are balls, so they also focus the light like a lens.
    view += 0.28 * np.clip(ndimage.gaussian_filter(delay, 1.5) - 2.8, 0, 3.5)
    return ndimage.gaussian_filter(view, 0.6).astype(np.float32)


def _bright_field(rng: np.random.Generator, delay: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a slightly defocused bright-field view: bright and dark edges and grains, and a trace of absorption."""
    defocus = rng.uniform(0.8, 1.6) * (1 if rng.random() < 0.5 else -1)
    curvature = ndimage.gaussian_laplace(delay, 1.2)
    return (1 + np.clip(defocus * curvature, -0.6, 0.8) - 0.015 * delay).astype(np.float32)


def _expose(rng: np.random.Generator, view: NDArray[np.floating], bits: Bits) -> NDArray[np.unsignedinteger]:
    """Return the image from a camera whose exposure puts the empty field near the middle of the range."""
    level = rng.uniform(0.36, 0.52) * (2**bits - 1)
    electrons = float(rng.uniform(2500, 9000))
    return camera(rng, view * electrons, gain=level / electrons, offset=0.0, read_noise=10.0, bits=bits)
