"""Outlines of synthetic objects, and a canvas that turns them into exact instance labels.

An outline is star-convex: a ray from its centre in any direction crosses the border once. It is an ellipse whose radius
is modulated by a few low harmonics (the soft irregularity of nuclei) and, for cells, by narrow bumps (protrusions).
This follows Lehmussola et al. 2007, "Computational framework for simulating fluorescence microscope images with cell
populations", doi:10.1109/TMI.2007.896925. A smooth warp of the plane, shared by all objects, hides the regularity of
the formula.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Canvas", "Outline", "SyntheticImage", "random_outline"]


@dataclass(frozen=True)
class SyntheticImage:
    """An image with the labels it was rendered from.

    Attributes:
        image: YX uint8 or uint16, like an image from a camera.
        labels: YX int32, 0 is background; the ids are 1 to n without gaps, and each object is one 4-connected piece.
        classes: class of each object, in the order of the ids; empty if the objects are all of one kind.
    """

    image: NDArray[np.unsignedinteger]
    labels: NDArray[np.int32]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outline:
    """A closed star-convex curve: an ellipse perturbed by harmonics and bumps.

    Attributes:
        centre: row and column of the centre, in pixels.
        radius_px: radius in pixels of the disc with the same area as the ellipse.
        aspect: ratio of the long axis to the short axis, at least 1.
        angle: direction of the long axis, in radians.
        harmonics: amplitude (relative to the ellipse) and phase (in radians) of the 2nd, 3rd, ... harmonic.
        bumps: direction, half width (both in radians) and height (relative to the ellipse) of each protrusion.
    """

    centre: tuple[float, float]
    radius_px: float
    aspect: float = 1.0
    angle: float = 0.0
    harmonics: tuple[tuple[float, float], ...] = ()
    bumps: tuple[tuple[float, float, float], ...] = ()

    def radius(self, direction: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the distance from the centre to the border, in pixels.

        Args:
            direction: directions in radians, as an array of any shape.

        >>> Outline((0, 0), 10.0, aspect=4.0).radius(np.array([0.0, np.pi / 2]))
        array([20.,  5.])
        """
        long_axis = self.radius_px * np.sqrt(self.aspect)
        short_axis = self.radius_px / np.sqrt(self.aspect)
        turned = direction - self.angle
        radius = long_axis * short_axis / np.hypot(short_axis * np.cos(turned), long_axis * np.sin(turned))
        factor = np.ones_like(radius)
        for order, (amplitude, phase) in enumerate(self.harmonics, start=2):
            factor += amplitude * np.cos(order * turned + phase)
        for bump_direction, half_width, height in self.bumps:
            # A von Mises bump is a Gaussian on the circle.
            factor += height * np.exp((np.cos(turned - bump_direction) - 1) / half_width**2)
        return radius * np.maximum(factor, 0.2)

    def reach_px(self) -> float:
        """Return the largest distance from the centre to the border in pixels, accurate to about a pixel."""
        return float(self.radius(np.linspace(-np.pi, np.pi, 180)).max()) + 1


def random_outline(
    rng: np.random.Generator,
    *,
    radius_px: float,
    aspect: float,
    roughness: float,
    bumps: tuple[tuple[float, float, float], ...] = (),
) -> Outline:
    """Return an outline at the origin: an ellipse with a random orientation, perturbed by random harmonics.

    The amplitude of the harmonics falls with increasing order.

    Args:
        rng: random number generator.
        radius_px: radius in pixels of the disc with the same area as the ellipse.
        aspect: ratio of the long axis to the short axis, at least 1.
        roughness: standard deviation of the amplitude of the 2nd harmonic, relative to the ellipse.
        bumps: direction, half width (both in radians) and height (relative to the ellipse) of each protrusion.
    """
    amplitudes = rng.normal(0, 1, 4) * roughness / np.arange(1, 5)
    phases = rng.uniform(0, 2 * np.pi, 4)
    harmonics = tuple((float(a), float(p)) for a, p in zip(amplitudes, phases, strict=True))
    return Outline((0.0, 0.0), radius_px, aspect, float(rng.uniform(0, np.pi)), harmonics, bumps)


@dataclass
class Canvas:
    """A label image that grows object by object; objects can touch but never share a pixel.

    Attributes:
        warp: (2, Y, X) displacement of each pixel in y and x, in pixels; all zeros for no warp.
        labels: YX int32, 0 for background, otherwise the index of the outline plus one.
        depth: YX float32, from 0 at the centre of the object that owns the pixel to 1 at its border and outside.
        outlines: the outlines drawn so far.
    """

    warp: NDArray[np.floating]
    labels: NDArray[np.int32] = field(init=False)
    depth: NDArray[np.float32] = field(init=False)
    outlines: list[Outline] = field(init=False, default_factory=list)
    _areas: list[int] = field(init=False, default_factory=lambda: [0], repr=False)

    def __post_init__(self) -> None:
        self.labels = np.zeros(self.warp.shape[1:], np.int32)
        self.depth = np.ones(self.warp.shape[1:], np.float32)

    def add(self, outline: Outline, *, gap_px: float = 0.0, bend: float = 1.0, max_overlap: float = 0.15) -> bool:
        """Draw an outline if there is room for it.

        If the outline overlaps its neighbours a little, each pixel goes to the object that it lies deeper inside. The
        border therefore runs through the middle of the overlap, as between two nuclei pressed together.

        Args:
            outline: the outline to draw.
            gap_px: approximate minimum distance to all other objects, in pixels.
            bend: fraction of the warp applied to this object, 0 to 1; at 0, a disc remains a disc.
            max_overlap: maximum overlap with an earlier object, as a fraction of the smaller object.

        Returns:
            True if the outline was drawn.
        """
        y, x = (round(c) for c in outline.centre)
        if 0 <= y < self.labels.shape[0] and 0 <= x < self.labels.shape[1] and self.labels[y, x]:
            return False  # a cheap test that rejects most outlines on a crowded canvas
        reach = outline.reach_px() + gap_px + bend * float(np.abs(self.warp).max(initial=0)) + 1
        window = tuple(
            slice(max(0, int(np.floor(c - reach))), max(0, min(size, int(np.ceil(c + reach)) + 1)))
            for c, size in zip(outline.centre, self.labels.shape, strict=True)
        )
        rows, columns = np.ogrid[window]
        dy = rows - outline.centre[0] + bend * self.warp[0][window]
        dx = columns - outline.centre[1] + bend * self.warp[1][window]
        distance = np.hypot(dy, dx)
        border = outline.radius(np.arctan2(dy, dx))
        inside = distance < border
        owners, depth = self.labels[window], self.depth[window]
        if not inside.any() or (gap_px > 0 and owners[distance < border + gap_px].any()):
            return False
        contested = np.bincount(owners[inside & (owners > 0)])
        for owner in np.flatnonzero(contested).tolist():
            smaller = min(int(inside.sum()), self._areas[owner])
            if contested[owner] > max_overlap * smaller:
                return False
        relative = np.divide(distance, border, dtype=np.float32)
        wins = inside & (relative < depth)
        for owner, lost in enumerate(np.bincount(owners[wins])):
            self._areas[owner] -= int(lost)
        self._areas.append(int(wins.sum()))
        self.outlines.append(outline)
        owners[wins], depth[wins] = len(self.outlines), relative[wins]
        return True

    def finish(self, *, min_area_px: int) -> tuple[NDArray[np.int32], list[int]]:
        """Return the labels, with each object in one piece and ids from 1 to n without gaps.

        Args:
            min_area_px: smallest area of an object in pixels; smaller objects are removed.

        Returns:
            The labels, and the index of the outline for each id, in the order of the ids.
        """
        labels = np.zeros_like(self.labels)
        kept: list[int] = []
        for index, window in enumerate(ndimage.find_objects(self.labels)):
            if window is None:
                continue
            pieces, count = ndimage.label(self.labels[window] == index + 1)
            sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
            if sizes.max(initial=0) < min_area_px:
                continue
            kept.append(index)
            labels[window][pieces == int(sizes.argmax()) + 1] = len(kept)
        return labels, kept
