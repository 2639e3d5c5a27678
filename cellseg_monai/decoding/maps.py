"""Named maps: what a head predicts for each pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cellseg_monai.boxes import SlicedArray

__all__ = ["Maps", "check_maps", "check_probabilities", "shape_of_maps"]

Maps = Mapping[str, SlicedArray]
"""Y×X floats in [0, 1] by name, all of the same shape: numpy arrays, or anything that gives one when sliced.

`foreground` is the probability that a pixel belongs to an object, `boundary` that it separates touching objects,
`distance` the depth within an object as a share of its greatest depth, `class/<name>` the probability of a class, and
`views` the share of the views of test-time augmentation that see foreground."""


def check_probabilities(values: np.ndarray) -> None:
    """Refuse values that cannot be probabilities.

    Args:
        values: floats, any shape.

    Raises:
        ValueError: there are NaN or values outside [0, 1], as logits are.
    """
    # The minimum and the maximum are NaN if any value is.
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"got values from {values.min():.3g} to {values.max():.3g}, expected probabilities from 0 to 1; if these "
            "are logits, apply a sigmoid first"
        )


def shape_of_maps(maps: Maps) -> tuple[int, int]:
    """Return (Y, X) of the maps, taken from the foreground."""
    height, width = maps["foreground"].shape
    return int(height), int(width)


def check_maps(maps: Maps, needed: Iterable[str]) -> None:
    """Refuse maps that lack one that is needed, or that differ in shape.

    Args:
        maps: the maps of one image.
        needed: names, besides `foreground`, which is always needed.

    Raises:
        ValueError: a map is missing, is not Y×X, or has another shape than the foreground.
    """
    for name in ("foreground", *needed):
        if name not in maps:
            raise ValueError(
                f"got the maps {', '.join(maps) or 'none'}, expected {name} among them; use the head that fits the "
                "post-processing, or another method"
            )
        shape, expected = tuple(maps[name].shape), tuple(maps["foreground"].shape)
        if len(shape) != 2 or shape != expected:
            raise ValueError(
                f"got the map {name} of shape {shape}, expected (Y, X) like all maps of an image; pass the maps of one "
                "image"
            )
