"""Named maps: the values that a network head predicts for each pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cellseg_monai.boxes import SlicedArray

__all__ = ["Maps", "check_maps", "check_probabilities", "shape_of_maps"]

Maps = Mapping[str, SlicedArray]
"""Y×X floats in [0, 1] by name, all of the same shape: NumPy arrays, or anything that returns one when sliced.

- `foreground`: the probability that a pixel belongs to an object
- `boundary`: the probability that a pixel separates touching objects
- `distance`: the depth of a pixel within its object, as a fraction of the object's greatest depth
- `class/<name>`: the probability of a class of the object at this pixel
- `image_class/<name>`: the probability of a class of the image
- `views`: the fraction of test-time augmentation views in which the pixel is foreground
"""


def check_probabilities(values: np.ndarray) -> None:
    """Reject values that cannot be probabilities.

    Args:
        values: floats, any shape.

    Raises:
        ValueError: a value is NaN or outside [0, 1].
    """
    # The minimum and the maximum are NaN if any value is.
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"got values from {values.min():.3g} to {values.max():.3g}, expected probabilities between 0 and 1; if "
            "these are logits, apply a sigmoid first"
        )


def shape_of_maps(maps: Maps) -> tuple[int, int]:
    """Return the (Y, X) shape of the maps, read from the foreground map."""
    height, width = maps["foreground"].shape
    return int(height), int(width)


def check_maps(maps: Maps, needed: Iterable[str]) -> None:
    """Check that all required maps are present and have the same shape.

    Args:
        maps: the maps of one image.
        needed: names of required maps; `foreground` is always required.

    Raises:
        ValueError: a map is missing, is not Y×X, or differs in shape from the foreground map.
    """
    for name in ("foreground", *needed):
        if name not in maps:
            raise ValueError(
                f"the map {name} is missing (got {', '.join(maps) or 'none'}); choose a head that predicts this map, "
                "or another post-processing method"
            )
        shape, expected = tuple(maps[name].shape), tuple(maps["foreground"].shape)
        if len(shape) != 2 or shape != expected:
            raise ValueError(
                f"got the map {name} of shape {shape}, expected (Y, X), the same for every map; pass maps from the "
                "same image"
            )
