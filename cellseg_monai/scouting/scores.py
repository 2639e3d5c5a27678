"""How often a scout is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cellseg_monai.scouting.certainty import Known
from cellseg_monai.scouting.kinds import KINDS
from cellseg_monai.scouting.sighting import Sighting

__all__ = ["TOLERANCE", "Compared", "confusion", "sighting_scores"]

TOLERANCE = 0.2
"""Largest relative error of a diameter that counts as right."""


class Compared(NamedTuple):
    """A scout's answer about an image, and the truth.

    Args:
        sighting: what the scout says.
        kind: the true kind, one of `KINDS`.
        diameter_px: the true typical diameter in pixels; NaN for an image without objects.
        is_dark: True if the objects are darker than their surroundings.
        dataset: name of the data set of the image.
    """

    sighting: Sighting
    kind: str
    diameter_px: float
    is_dark: bool
    dataset: str = ""

    @property
    def error(self) -> float:
        """Relative error of the diameter, such as 0.1 for 10 %; NaN if the true one is unknown."""
        return abs(self.sighting.diameter_px / self.diameter_px - 1)

    @property
    def is_within(self) -> bool:
        """True if the true diameter lies in the scout's interval."""
        low, high = self.sighting.interval_px
        return low <= self.diameter_px <= high

    @property
    def known(self) -> Known:
        """The same as `fitted_certainty` takes it."""
        error = math.log2(self.sighting.diameter_px / self.diameter_px) if self.diameter_px > 0 else math.nan
        return Known(self.sighting.probabilities, error, self.sighting.spread, self.kind)


def sighting_scores(images: Sequence[Compared]) -> dict[str, dict[str, Any]]:
    """Return the scores of a scout by name, each as its value and the number of images that it covers.

    `kind_accuracy` and `kind_and_diameter_accuracy` are shares of all images. `diameter_error_median`,
    `interval_coverage` and `polarity_accuracy` cover the images with objects. A score without images is None.

    Args:
        images: what is said about images, and what is true.

    >>> seen = Sighting("none", {"none": 1.0}, diameter_px=11.0, spread=0.1, dark=0.0)
    >>> sighting_scores([Compared(seen, "none", 10.0, False)])["diameter_error_median"]
    {'value': 0.1, 'images': 1}
    """
    sized = [image for image in images if image.diameter_px > 0]
    is_right = [image.kind == image.sighting.kind for image in images]
    is_both = [
        right and not image.error > TOLERANCE  # an unknown error is not wrong
        for right, image in zip(is_right, images, strict=True)
    ]
    values: dict[str, tuple[Any, Sequence[Any]]] = {
        "kind_accuracy": (np.mean, is_right),
        "diameter_error_median": (np.median, [image.error for image in sized]),
        "interval_coverage": (np.mean, [image.is_within for image in sized]),
        "polarity_accuracy": (np.mean, [image.is_dark == image.sighting.is_dark for image in sized]),
        "kind_and_diameter_accuracy": (np.mean, is_both),
    }
    return {
        name: {"value": round(float(over(of_images)), 4) if of_images else None, "images": len(of_images)}
        for name, (over, of_images) in values.items()
    }


def confusion(images: Sequence[Compared]) -> dict[str, dict[str, int]]:
    """Return how many images of each true kind are taken for each kind, for the true kinds that occur.

    Args:
        images: what is said about images, and what is true.
    """
    return {
        true: {seen: sum(image.sighting.kind == seen for image in of_kind) for seen in KINDS}
        for true in KINDS
        if (of_kind := [image for image in images if image.kind == true])
    }
