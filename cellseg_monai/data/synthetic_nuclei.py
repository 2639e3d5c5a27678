"""Synthetic fluorescence images of stained nuclei (DAPI, Hoechst), with exact labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellseg_monai.data.synthetic_optics import Bits, camera, illumination, smooth_noise, stamp
from cellseg_monai.data.synthetic_shapes import Canvas, Outline, SyntheticImage, random_outline

__all__ = ["nuclei"]

MIN_AREA_PX = 12
_DEFOCUS_LEVELS = 5


@dataclass(frozen=True)
class _Nucleus:
    """A nucleus, with its outline and its appearance."""

    outline: Outline
    brightness: float
    defocus: float  # from 0 (in focus) to 1 (the worst defocus in the image)
    mitotic: bool


def nuclei(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: int | np.random.SeedSequence,
    count: int | None = None,
    diameter_px: float | None = None,
    clustering: float = 0.45,
    bits: Bits = 16,
) -> SyntheticImage:
    """Return a wide-field fluorescence image of nuclei, with the labels it was rendered from.

    Nuclei are soft ellipses of various sizes and brightnesses, with chromatin and nucleoli. Some are pressed together
    in clusters, and a few are in mitosis (small, dense and bright). Each nucleus lies at its own depth and is blurred
    accordingly.

    Light from outside the focal plane adds haze, and specks and threads of debris shine but are not labelled. The field
    is lit unevenly, and the camera adds shot noise, read noise and an offset. Exposure and signal vary by an order of
    magnitude between seeds, and occasionally the brightest nuclei saturate.

    A label covers the nucleus as it would look in focus, so outlines are exact even where the image is blurred.

    Args:
        shape: height and width in pixels, at least 16 each.
        seed: seed for the image; the same seed and arguments give the same bytes (with the same versions of NumPy and
            SciPy).
        count: number of nuclei to place if there is room; by default, enough to cover 6 to 25 % of the image.
        diameter_px: median diameter of the nuclei in pixels; by default, drawn at random between 18 and 30.
        clustering: fraction of the nuclei that touch another nucleus, between 0 and 1.
        bits: 16 for uint16 (the image uses hundreds to thousands of grey levels), 8 for uint8.

    Raises:
        ValueError: an argument is out of range.

    >>> picture = nuclei((64, 96), seed=1, count=5)
    >>> picture.image.shape, picture.image.dtype, picture.labels.dtype
    ((64, 96), dtype('uint16'), dtype('int32'))
    >>> bool((picture.image == nuclei((64, 96), seed=1, count=5).image).all())
    True
    """
    if min(shape) < 16:
        raise ValueError(f"got shape={shape}, expected at least 16 × 16 px for nuclei; choose a larger shape")
    if not 0 <= clustering <= 1:
        raise ValueError(f"got clustering={clustering}, expected a fraction between 0 and 1; try 0.45")
    if count is not None and count < 0:
        raise ValueError(f"got count={count}, expected a non-negative number; choose a larger count")
    if diameter_px is not None and diameter_px < 4:
        raise ValueError(f"got diameter_px={diameter_px}, expected at least 4; choose a larger diameter")
    if bits not in (8, 16):
        raise ValueError(f"got bits={bits}, expected 8 or 16; choose one")
    rng = np.random.default_rng(seed)
    diameter = float(rng.uniform(18, 30)) if diameter_px is None else diameter_px
    covered = float(rng.uniform(0.06, 0.25))
    if count is None:
        count = max(1, round(covered * shape[0] * shape[1] / (np.pi / 4 * diameter**2)))
    canvas, placed = _place(rng, shape, count, diameter, clustering)
    labels, kept = canvas.finish(min_area_px=min(MIN_AREA_PX, round(diameter**2 / 8)))
    light = _emission(rng, canvas, labels, [placed[index] for index in kept])
    light += _debris(rng, labels, diameter)
    light += _haze(rng, light, diameter)
    light *= illumination(rng, shape, fall_off=float(rng.uniform(0.05, 0.45)))
    return SyntheticImage(_expose(rng, light, bits), labels)


def _place(
    rng: np.random.Generator, shape: tuple[int, int], count: int, diameter: float, clustering: float
) -> tuple[Canvas, list[_Nucleus]]:
    warp = np.stack([smooth_noise(rng, shape, diameter / 3) for _ in range(2)]) * diameter / 35
    canvas = Canvas(warp)
    placed: list[_Nucleus] = []
    for _ in range(12 * count):
        if len(placed) == count:
            break
        nucleus = _draw(rng, diameter)
        outline = nucleus.outline
        in_contact = bool(placed) and rng.random() < clustering
        if in_contact:
            neighbour = placed[int(rng.integers(len(placed)))].outline
            direction = np.array([rng.uniform(-np.pi, np.pi)])
            distance = neighbour.radius(direction) + outline.radius(direction + np.pi)
            distance *= rng.uniform(0.9, 1.0)
            y = neighbour.centre[0] + (np.sin(direction) * distance).item()
            x = neighbour.centre[1] + (np.cos(direction) * distance).item()
        else:
            y, x = (rng.uniform(-0.2 * diameter, size + 0.2 * diameter) for size in shape)
        outline = replace(outline, centre=(float(y), float(x)))
        if canvas.add(outline, gap_px=0.0 if in_contact else 2.0):
            placed.append(replace(nucleus, outline=outline))
    return canvas, placed


def _draw(rng: np.random.Generator, diameter: float) -> _Nucleus:
    mitotic = bool(rng.random() < 0.06)
    size = float(np.exp(rng.normal(0, 0.2)))
    brightness = float(np.exp(rng.normal(0, 0.4)))
    if mitotic:  # a metaphase plate: condensed, and therefore small, long and bright
        outline = random_outline(rng, radius_px=0.3 * diameter, aspect=float(rng.uniform(1.6, 3.0)), roughness=0.1)
        return _Nucleus(outline, brightness * 2.5, float(rng.beta(1, 4)), mitotic)
    aspect = float(1 + rng.gamma(2.5, 0.18))
    outline = random_outline(rng, radius_px=0.5 * diameter * size, aspect=aspect, roughness=0.06)
    return _Nucleus(outline, brightness, float(rng.beta(1, 2.5)), mitotic)


def _emission(
    rng: np.random.Generator, canvas: Canvas, labels: NDArray[np.int32], kept: list[_Nucleus]
) -> NDArray[np.float32]:
    """Return the light from the nuclei behind the lens, which is about 1 within a nucleus of ordinary brightness."""
    shape = (labels.shape[0], labels.shape[1])
    chromatin = 0.13 * smooth_noise(rng, shape, 0.9) + 0.12 * smooth_noise(rng, shape, 2.5)
    holes = np.zeros(shape, np.float32)
    for nucleus in kept:
        if nucleus.mitotic:
            continue
        radius = nucleus.outline.radius_px
        for _ in range(int(rng.integers(0, 5))):
            y, x = (c + rng.normal(0, 0.3 * radius) for c in nucleus.outline.centre)
            stamp(holes, y, x, radius * rng.uniform(0.08, 0.17), -rng.uniform(0.25, 0.6))
    thickness = np.clip(1 - canvas.depth**2, 0, 1) ** 0.3
    brightness = np.array([0.0] + [n.brightness for n in kept], np.float32)
    light = brightness[labels] * thickness * np.maximum(1 + chromatin + np.maximum(holes, -0.6), 0.15)

    worst_px = float(rng.uniform(1.0, 3.2))
    level = np.array([0] + [int(n.defocus * _DEFOCUS_LEVELS) for n in kept])[labels]
    blurred = np.zeros(shape, np.float32)
    for index in range(_DEFOCUS_LEVELS):
        layer = np.where((level == index) & (labels > 0), light, 0).astype(np.float32)
        if layer.any():
            sigma_px = 0.7 + worst_px * index / (_DEFOCUS_LEVELS - 1)
            blurred += ndimage.gaussian_filter(layer, sigma_px)
    return blurred


def _debris(rng: np.random.Generator, labels: NDArray[np.int32], diameter: float) -> NDArray[np.float32]:
    """Return the light from specks, threads and the blurred remains of dead cells, which are not labelled."""
    light = np.zeros(labels.shape, np.float32)
    area = labels.size / 256**2
    for _ in range(rng.poisson(5 * area)):
        y, x = (rng.uniform(0, size) for size in labels.shape)
        # A speck is much smaller than a nucleus at any magnification, so nobody would outline it.
        stamp(light, y, x, diameter * rng.uniform(0.02, 0.06), float(np.exp(rng.normal(-0.9, 0.7))))
    for _ in range(rng.poisson(0.4 * area)):  # a thread: spots along a bent line
        y, x = (rng.uniform(0, size) for size in labels.shape)
        heading, brightness = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.2)
        for _ in range(int(rng.integers(10, 40))):
            stamp(light, y, x, 0.8, brightness)
            heading += rng.normal(0, 0.15)
            y, x = y + np.sin(heading), x + np.cos(heading)
    for _ in range(rng.poisson(1.5 * area)):
        y, x = (rng.uniform(0, size) for size in labels.shape)
        stamp(light, y, x, diameter * rng.uniform(0.4, 0.9), rng.uniform(0.02, 0.09))
    return light


def _haze(rng: np.random.Generator, light: NDArray[np.float32], diameter: float) -> NDArray[np.float32]:
    """Return the light from outside the focal plane: a wide skirt around all bright objects, and an even glow."""
    skirt = ndimage.gaussian_filter(light, 0.6 * diameter, truncate=3.0)
    glow = rng.uniform(0.005, 0.08)
    return (rng.uniform(0.05, 0.3) * skirt + glow * (1 + 0.15 * smooth_noise(rng, light.shape, 40))).astype(np.float32)


def _expose(rng: np.random.Generator, light: NDArray[np.float32], bits: Bits) -> NDArray[np.unsignedinteger]:
    """Return the image from a camera with a random exposure."""
    electrons = float(np.exp(rng.uniform(np.log(150), np.log(3000))))  # from an ordinary nucleus
    if bits == 16:
        level, offset = float(np.exp(rng.uniform(np.log(600), np.log(6000)))), float(rng.uniform(100, 400))
    else:
        level, offset = float(rng.uniform(45, 130)), float(rng.uniform(3, 14))
    if rng.random() < 0.05:  # as if somebody had set the exposure by eye
        level = 0.6 * (2**bits - 1)
    return camera(
        rng,
        light * electrons,
        gain=level / electrons,
        offset=offset,
        read_noise=float(rng.uniform(1.5, 8)),
        bits=bits,
    )
