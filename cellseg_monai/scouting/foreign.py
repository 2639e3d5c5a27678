"""Pictures that are no microscope images, drawn at random, on which a scout learns to say so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from skimage import draw

__all__ = ["foreign_picture"]


def foreign_picture(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Return an empty field, noise, soft light, a pattern, a plot, text, a screen, or shapes as in photographs.

    Args:
        shape: (Y, X) of the picture.
        generator: source of random numbers.

    Returns:
        3×Y×X float32 from 0 to 1, in grey or in colour.

    >>> foreign_picture((32, 48), np.random.default_rng(0)).shape
    (3, 32, 48)
    """
    kinds: tuple[Callable[[tuple[int, int], np.random.Generator], np.ndarray], ...] = (
        _empty_field, _noise, _clouds, _gradient, _glow, _pattern, _plot, _lines_of_text, _screen, _dead_leaves,
        _dead_leaves,
    )  # fmt: skip
    picture = kinds[generator.integers(len(kinds))](shape, generator)
    if generator.random() < 0.4:
        picture = np.broadcast_to(picture.mean(axis=0), picture.shape)
    if generator.random() < 0.3:
        picture = picture + generator.normal(0, generator.uniform(0.005, 0.1), picture.shape)
    return np.clip(picture, 0, 1).astype(np.float32)


def _colour(generator: np.random.Generator) -> np.ndarray:
    return generator.random((3, 1, 1))


def _noise(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    noise = generator.normal(size=shape)
    if generator.random() < 0.5:
        noise = ndimage.gaussian_filter(noise, np.exp(generator.uniform(-1, 2)))
    return np.repeat(_stretched(noise)[np.newaxis], 3, axis=0)


def _empty_field(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """A camera image without cells: noise, uneven light, column stripes and hot pixels."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape)
    centre = generator.uniform(0, 1, 2)
    light = 1 - generator.uniform(0, 0.8) * ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)
    photons = np.exp(generator.uniform(0, 7))
    field = generator.poisson(photons * light.clip(0.1)) / photons
    field = field + generator.normal(0, generator.uniform(0, 0.2), shape)
    if generator.random() < 0.3:
        field = field + generator.normal(0, generator.uniform(0.01, 0.1), (1, shape[1]))
    if generator.random() < 0.3:
        field.flat[generator.integers(field.size, size=int(generator.integers(1, 60)))] = field.max()
    # As in images of the whole range, the extremes are cut off.
    low, high = np.percentile(field, (0.5, 99.5))
    return np.repeat(((field - low) / max(high - low, 1e-9))[np.newaxis], 3, axis=0)


def _clouds(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Noise with a power spectrum as in natural scenes."""
    spectrum = np.fft.rfft2(generator.normal(size=(3, *shape)))
    down, across = np.fft.fftfreq(shape[0])[:, np.newaxis], np.fft.rfftfreq(shape[1])[np.newaxis]
    frequency = np.maximum(np.hypot(down, across), 1 / max(shape))
    clouds = np.fft.irfft2(spectrum / frequency ** generator.uniform(0.7, 1.8), s=shape)
    mixed = clouds[:1] + generator.uniform(0, 0.5) * clouds
    return np.stack([_stretched(channel) for channel in mixed])


def _gradient(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape)
    slope = generator.normal(size=3)
    field = slope[0] * rows + slope[1] * columns + slope[2] * (rows - 0.5) * (columns - 0.5)
    return _colour(generator) + (_colour(generator) - _colour(generator)) * _stretched(field)


def _glow(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Soft spots of light in several colours, as in backgrounds of screens."""
    picture = np.ones((3, *shape)) * _colour(generator)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for _ in range(int(generator.integers(1, 5))):
        centre, width = generator.random(2) * shape, generator.uniform(0.2, 1) * max(shape)
        share = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / width**2)
        picture = picture + share * (_colour(generator) - picture)
    return picture


def _screen(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Windows, buttons and a few large letters on a plain ground."""
    picture = np.ones((3, *shape)) * _colour(generator)
    for _ in range(int(generator.integers(2, 9))):
        start = (generator.random(2) * shape * 0.9).astype(int)
        size = np.maximum(3, (generator.random(2) ** 2 * shape).astype(int))
        part = draw.rectangle(start, extent=size, shape=shape)
        picture[:, part[0], part[1]] = _colour(generator)
        inner = (int(min(size[0], shape[0] - start[0])), int(min(size[1], shape[1] - start[1])))
        if min(inner) > 12 and generator.random() < 0.6:
            rows, columns = (slice(first, first + length) for first, length in zip(start, inner, strict=True))
            picture[:, rows, columns] = _lines_of_text(inner, generator)
    return picture


def _pattern(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Stripes, a grid or a chessboard."""
    period, angle = generator.uniform(4, max(shape) / 2), generator.uniform(0, np.pi)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = np.cos(angle) * columns - np.sin(angle) * rows
    waves = np.sin(2 * np.pi * along / period), np.sin(2 * np.pi * across / period)
    field = (waves[0], waves[0] * waves[1], np.maximum(*waves))[generator.integers(3)]
    if generator.random() < 0.6:
        field = np.sign(field - generator.uniform(-0.8, 0.8))
    return _colour(generator) + (_colour(generator) - _colour(generator)) * (field + 1) / 2


def _plot(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Axes with curves, bars or points on a plain ground."""
    picture = np.ones((3, *shape)) * (1.0 if generator.random() < 0.7 else _colour(generator))
    height, width = shape
    top, left = height // 12 + 1, width // 10 + 1
    frame = draw.rectangle_perimeter((top, left), (height - top - 1, width - left // 2 - 1), shape=shape)
    picture[:, frame[0], frame[1]] = 0
    for _ in range(generator.integers(1, 5)):
        colour = generator.random(3)
        kind = generator.integers(3)
        x = np.linspace(left + 1, width - left // 2 - 2, 40)
        y = np.cumsum(generator.normal(size=40))
        y = top + 1 + (height - 2 * top - 3) * (y - y.min()) / max(np.ptp(y), 1e-6)
        for index in range(39):
            if kind == 0:
                part = draw.line(int(y[index]), int(x[index]), int(y[index + 1]), int(x[index + 1]))
            elif kind == 1:
                part = draw.rectangle(
                    (int(y[index]), int(x[index])), (height - top - 1, int(x[index]) + 2), shape=shape
                )
            else:
                part = draw.disk((y[index], x[index]), generator.uniform(1, 4), shape=shape)
            picture[:, part[0].clip(0, height - 1), part[1].clip(0, width - 1)] = colour.reshape(
                3, *(1 for _ in part[0].shape)
            )
    return picture


def _lines_of_text(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Small strokes in rows, like text on paper."""
    ink: np.ndarray = np.zeros(shape)
    size = int(generator.integers(4, max(5, min(shape) // 8)))
    for top in range(size, shape[0] - size, 2 * size):
        left = size
        while left < shape[1] - size:
            if generator.random() < 0.85:
                for _ in range(generator.integers(2, 5)):
                    y, x = top + generator.integers(size, size=2), left + generator.integers(max(1, size // 2), size=2)
                    part = draw.line(int(y[0]), int(x[0]), int(y[1]), int(x[1]))
                    ink[part[0].clip(0, shape[0] - 1), part[1].clip(0, shape[1] - 1)] = 1
            left += max(2, int(size * 0.8))
    paper, pen = (1.0, 0.0) if generator.random() < 0.7 else (_colour(generator), _colour(generator))
    return paper + (pen - paper) * np.broadcast_to(ink, (3, *shape))


def _dead_leaves(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Shapes of all sizes that hide each other, whose statistics resemble those of photographs.

    Lee, Mumford and Huang, Occlusion models for natural images, 2001, doi:10.1023/A:1011109015675.
    """
    picture = np.ones((3, *shape)) * _colour(generator)
    texture = _clouds(shape, generator) - 0.5
    for _ in range(int(generator.integers(30, 200))):
        radius = min(shape) * min(0.5, 0.01 / (1e-3 + generator.random()) ** generator.uniform(0.6, 1))
        centre = generator.random(2) * shape
        if generator.random() < 0.5:
            part = draw.ellipse(*centre, radius, radius * generator.uniform(0.2, 2), shape=shape)
        else:
            corners = centre + radius * generator.normal(size=(int(generator.integers(3, 6)), 2))
            part = draw.polygon(corners[:, 0], corners[:, 1], shape)
        shade = _colour(generator)[:, 0] + generator.uniform(0, 0.8) * texture[:, part[0], part[1]]
        picture[:, part[0], part[1]] = shade
    return ndimage.gaussian_filter(picture, (0, *[generator.uniform(0, 1.5)] * 2))


def _stretched(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.min()) / max(float(np.ptp(values)), 1e-9))
