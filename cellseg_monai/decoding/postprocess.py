"""Probabilities turned into labelled objects: the one way, with settings out of the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from scipy import ndimage

from cellseg_monai.decoding.holes import fill_holes
from cellseg_monai.decoding.numbering import areas_and_firsts, numbers_in_order
from cellseg_monai.decoding.pieces import Pieces
from cellseg_monai.decoding.probabilities import check_probabilities
from cellseg_monai.decoding.watershed import divide_by_distance, grow_seeds
from cellseg_monai.labels.relabel import id_runs, relabel_sequential
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.settings import read_settings, write_settings

__all__ = ["METHODS", "Postprocessing", "check_maps", "divided", "foreground_mask", "label_objects"]

METHODS = {"components": 1, "distance_watershed": 1, "boundary_watershed": 2, "distance_map_watershed": 2}
"""Each way to tell objects apart, and how many probability maps it needs."""

# Interiors between boundaries are cells with dents of their own; a network's normalised distance is smooth.
_SEED_DEPTH = {"components": 1.0, "distance_watershed": 1.0, "boundary_watershed": 8.0, "distance_map_watershed": 0.1}


@dataclass(frozen=True)
class Postprocessing:
    """How a bundle makes objects of probabilities, as kept in its `configs/postprocess.json`.

    Areas and depths are counted in the frame of the network, so that the size meant stays the same whatever the pixel
    size of the image.

    Args:
        method: how touching objects are told apart. `"components"`: not at all, connected foreground is one object.
            `"distance_watershed"`: at necks of the foreground, by the distance to the background.
            `"boundary_watershed"`: where the network sees a touching boundary, and at necks of what it leaves of the
            foreground, which are gaps in such boundaries. `"distance_map_watershed"`: at valleys
            of a normalised distance that the network predicts.
        threshold: a pixel is foreground if its probability is greater, not equal.
        boundary_threshold: for `"boundary_watershed"`: a pixel is a boundary if its probability is greater.
        min_seed_area_px: for `"boundary_watershed"`: interiors of fewer pixels are no objects of their own, but go to
            their neighbours.
        seed_depth: by how much the distance must fall between two objects, else they are one; in pixels, but for
            `"distance_map_watershed"` as a share of the depth of an object. None: what suits the method: 1, 8
            and 0.1 for the three watersheds as above.
        min_area_px: objects of fewer pixels are dropped.
        fill_holes: background enclosed by foreground becomes foreground, whatever its size; set it to
            false where cells form closed rings around free space.

    >>> Postprocessing(threshold=0.4).min_area_px
    16
    """

    method: str = "components"
    threshold: float = 0.5
    boundary_threshold: float = 0.5
    min_seed_area_px: int = 0
    seed_depth: float | None = None
    min_area_px: int = 16
    fill_holes: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method={self.method!r} came, but one of {', '.join(METHODS)} was expected; choose one")
        for name in ("threshold", "boundary_threshold"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value < 1:
                raise ValueError(
                    f"{name}={value!r} came, but a number from 0 to below 1 was expected; give a probability, such as "
                    "0.5"
                )
        for name in ("min_seed_area_px", "min_area_px"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(
                    f"{name}={value!r} came, but a whole number of pixels from 0 was expected; 0 keeps every object"
                )
        if self.seed_depth is not None and (type(self.seed_depth) not in (int, float) or not self.seed_depth >= 0):
            raise ValueError(
                f"seed_depth={self.seed_depth!r} came, but a number from 0 was expected; 0 divides at every neck"
            )
        if not isinstance(self.fill_holes, bool):
            raise ValueError(f"fill_holes={self.fill_holes!r} came, but true or false was expected; correct it")

    @property
    def least_depth(self) -> float:
        """The `seed_depth`, or what suits the method.

        >>> Postprocessing("boundary_watershed").least_depth
        8.0
        """
        return _SEED_DEPTH[self.method] if self.seed_depth is None else self.seed_depth

    @classmethod
    def from_json(cls, path: str | PathLike[str], *, whole: bool = False) -> Postprocessing:
        """The settings in a `postprocess.json`.

        Args:
            path: of the file.
            whole: refuse a file that leaves some out, rather than to take their defaults.

        Raises:
            BundleError: the file is missing, or holds an unknown name or a refused value, or leaves one out.
        """
        return read_settings(cls, path, whole=whole)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write these settings to a file that `from_json` reads back equal."""
        write_settings(self, path)


def foreground_mask(probabilities: np.ndarray, settings: Postprocessing) -> np.ndarray:
    """Where the probability exceeds the threshold, strictly.

    Args:
        probabilities: floats in [0, 1], any shape, such as YX.
        settings: of these, the threshold.

    Returns:
        bool of the shape of `probabilities`.

    Raises:
        ValueError: NaN or values outside [0, 1], as logits are.

    >>> foreground_mask(np.array([[0.2, 0.5, 0.9]]), Postprocessing(threshold=0.5))
    array([[False, False,  True]])
    """
    check_probabilities(probabilities)
    return np.asarray(probabilities > settings.threshold)


def label_objects(
    probabilities: np.ndarray, settings: Postprocessing, shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Objects: foreground, holes filled, divided by the method of the settings, small ones dropped.

    Pixels that touch by a corner only belong to different objects (4-connectivity): of two cells that
    touch, fewer are merged so.

    Args:
        probabilities: YX or CYX floats in [0, 1]: the foreground first; then, for methods that need it, the touching
            boundary (see `boundary_probabilities`) or the normalised distance (see `distance_target`).
        settings: method, thresholds, holes, smallest area.
        shape: (Y, X) of the image file, where the network saw it at another scale: the objects are brought to it by
            nearest neighbour.

    Returns:
        YX int32, ids 1 to n without gaps in the order of each object's first pixel, 0 is background.

    Raises:
        ValueError: too few maps for the method, NaN, or values outside [0, 1].

    >>> label_objects(np.array([[0.9, 0.9, 0.0, 0.6, 0.0, 0.7, 0.8]]), Postprocessing(min_area_px=2))
    array([[1, 1, 0, 0, 0, 2, 2]], dtype=int32)
    >>> foreground, boundary = [[0.9, 0.9, 0.9, 0.9, 0.9]], [[0.0, 0.1, 0.8, 0.1, 0.0]]
    >>> label_objects(np.array([foreground, boundary]), Postprocessing("boundary_watershed", min_area_px=2))
    array([[1, 1, 1, 2, 2]], dtype=int32)
    """
    maps = probabilities[np.newaxis] if probabilities.ndim == 2 else probabilities
    check_maps(maps.shape, settings)
    mask = foreground_mask(maps[0], settings)
    others = maps[1 : METHODS[settings.method]]
    check_probabilities(others)
    if not mask.any():  # as where there are no pixels
        return np.zeros(mask.shape if shape is None else shape, np.int32)
    if settings.fill_holes:
        background = Pieces.of(~mask)
        mask = fill_holes(mask, background, np.flatnonzero(background.at_border) + 1)
        del background
    objects = divided(mask, others, settings)
    ids, starts, lengths = id_runs(objects)
    areas, firsts = areas_and_firsts(ids, starts, lengths)
    areas[0] = 0  # the background gets no number
    numbers: np.ndarray = numbers_in_order(areas, firsts, settings.min_area_px).astype(np.int32)
    labels = np.repeat(numbers[ids], lengths).reshape(mask.shape)
    if shape is None or labels.shape == tuple(shape):
        return labels
    # Shrinking may lose a small object, and so leave a gap in the ids.
    return relabel_sequential(rescale_labels(labels, shape))


def check_maps(shape: Sequence[int], settings: Postprocessing) -> None:
    """Refuse what are not the probability maps that a method needs.

    Args:
        shape: of the maps, CYX.
        settings: of these, the method.

    Raises:
        ValueError: another number of axes, or too few maps.
    """
    needed = METHODS[settings.method]
    if len(shape) != 3 or shape[0] < needed:
        raise ValueError(
            f"probabilities of shape {tuple(shape)} came, but (Y, X) or (C, Y, X) with at least {needed} "
            f"channel(s) was expected for the method {settings.method!r}; take the maps of one image"
        )


def divided(mask: np.ndarray, others: np.ndarray, settings: Postprocessing) -> np.ndarray:
    """The foreground divided into objects by the method of the settings.

    What becomes of a piece of the foreground depends on that piece alone, and on where the image ends beside it.

    Args:
        mask: YX bool, the foreground, holes filled.
        others: CYX, the probability maps beside the foreground's, as many as the method needs.
        settings: method, and what it asks for.

    Returns:
        YX int32: ids from 1, not without gaps; 0 is background.

    >>> divided(np.array([[1, 1, 0, 1]], bool), np.zeros((0, 1, 4)), Postprocessing("components"))
    array([[1, 1, 0, 2]], dtype=int32)
    """
    if settings.method == "boundary_watershed":
        (boundary,) = others
        # Where a network sees a boundary with a gap, the interiors meet at a neck.
        seeds = divide_by_distance(mask & ~(boundary > settings.boundary_threshold), None, settings.least_depth)
        if settings.min_seed_area_px > 1:
            ids, _, lengths = id_runs(seeds)
            large = np.bincount(ids, lengths) >= settings.min_seed_area_px
            seeds = np.repeat(ids * large[ids], lengths).reshape(seeds.shape)
        return grow_seeds(mask, seeds, boundary)
    if settings.method == "distance_watershed":
        return divide_by_distance(mask, None, settings.least_depth)
    if settings.method == "distance_map_watershed":
        (distance,) = others
        return divide_by_distance(mask, distance, settings.least_depth)
    return np.asarray(ndimage.label(mask)[0])
