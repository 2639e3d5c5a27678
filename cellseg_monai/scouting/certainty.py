"""How far to trust what a scout's network says, fitted on images with known answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from cellseg_monai.scouting.kinds import KINDS
from cellseg_monai.settings import read_settings, settings_from_mapping, write_settings

__all__ = ["AS_IT_IS", "INTERVAL", "Z_OF_INTERVAL", "Certainty", "Known", "fitted_certainty", "wrongness"]

INTERVAL = 0.9
"""Probability with which an interval for the diameter contains it."""

Z_OF_INTERVAL = 1.6449
"""Half the width of the interval, in standard deviations of a normal distribution."""

_LOG_TEMPERATURES = (0.0, math.log(20.0))
_LEAST_IMAGES = 20


@dataclass(frozen=True)
class Certainty:
    """Corrections of a network's certainty, stored in the `postprocess.json` of a scout.

    Args:
        temperature: the logits of the kinds are divided by it; above 1 if the network is too certain.
        spread_scale: the spread of the diameter is multiplied by it; above 1 if the network is too certain.

    Raises:
        ValueError: a value is not a positive number.

    >>> Certainty(temperature=1.5)
    Certainty(temperature=1.5, spread_scale=1.0)
    """

    temperature: float = 1.0
    spread_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not (math.isfinite(value) and value > 0):
                raise ValueError(f"got {name}={value!r}, expected a positive number; fit it with calibrate.json")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str) -> Certainty:
        """Return the settings in a mapping.

        Raises:
            BundleError: a name is unknown, or a value is invalid.
        """
        return settings_from_mapping(cls, values, source=source)

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Certainty:
        """Read settings from a `postprocess.json`.

        Raises:
            BundleError: the file is missing, or contains an unknown setting or an invalid value.
        """
        return read_settings(cls, path)

    def to_mapping(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return asdict(self)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write these settings as JSON that `from_json` reads back unchanged."""
        write_settings(self, path)


AS_IT_IS = Certainty()
"""No corrections."""


class Known(NamedTuple):
    """A scout's uncorrected answer about an image, and the truth.

    Args:
        probabilities: probability of each kind.
        error: logarithm to base 2 of the ratio between the diameter seen and the true one; NaN if it is unknown.
        spread: standard deviation that the scout expects of the error.
        kind: the true kind.
    """

    probabilities: Mapping[str, float]
    error: float
    spread: float
    kind: str


def wrongness(images: Sequence[Known], temperature: float) -> float:
    """Return the mean negative logarithm of the probability of the true kind, at a temperature.

    Args:
        images: what is said about images, and what is true; at least one.
        temperature: see `Certainty`.
    """
    logits = np.log(np.array([[image.probabilities[kind] for kind in KINDS] for image in images]).clip(1e-300))
    scaled = logits / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    log_probabilities = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    true = [list(KINDS).index(image.kind) for image in images]
    return float(-log_probabilities[np.arange(len(images)), true].mean())


def fitted_certainty(images: Sequence[Known]) -> Certainty:
    """Return the corrections with which probabilities and intervals hold on images with known answers.

    The temperature is the one at which the true kinds are most probable (Guo et al. 2017, "On calibration of modern
    neural networks", arXiv 1706.04599), but at least 1: on images of the data sets that it learnt from, a network is
    right more often than on others, which is no reason to be more certain. The spread is scaled until intervals contain
    the share `INTERVAL` of the true diameters, with the margin for a finite number of images of split conformal
    prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116). With fewer than 20 images, a number stays 1.

    Args:
        images: what an uncorrected scout says about images on which it was not trained, and what is true.
    """
    temperature = spread_scale = 1.0
    if len(images) >= _LEAST_IMAGES:
        from scipy import optimize  # slow to import, and only fitting needs it

        found = optimize.minimize_scalar(
            lambda log_temperature: wrongness(images, math.exp(log_temperature)),
            bounds=_LOG_TEMPERATURES,
            method="bounded",
        )
        temperature = round(math.exp(found.x), 3)
    ratios = np.sort([abs(image.error) / image.spread for image in images if math.isfinite(image.error)])
    if len(ratios) >= _LEAST_IMAGES:
        rank = min(len(ratios), math.ceil(INTERVAL * (len(ratios) + 1)))
        spread_scale = round(max(float(ratios[rank - 1]) / Z_OF_INTERVAL, 0.05), 3)
    return Certainty(temperature, spread_scale)
