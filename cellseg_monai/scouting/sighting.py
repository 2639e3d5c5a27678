"""Combining a network's answers about views of an image into one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellseg_monai.scouting.certainty import AS_IT_IS, Z_OF_INTERVAL, Certainty
from cellseg_monai.scouting.kinds import KINDS, NONE

__all__ = ["OUTPUTS", "Sighting", "agreed", "looked_at", "middling", "sighting_of"]

OUTPUTS = ("log2_diameter", "log_variance", "dark", *KINDS)
"""The numbers that the network returns for a view, in order: the logarithm to base 2 of the typical diameter in pixels
of the view, the logarithm of the variance of that number, the logit of dark objects, and a logit for each kind."""

_LOG_VARIANCES = (-6.0, 3.0)
# Factor for the probabilities of all kinds in an image that shows none of them.
_HARDLY = 1e-3
# Largest ratio between the diameters in planes of a stack that are treated alike.
_ALIKE = 1.3


@dataclass(frozen=True)
class Sighting:
    """The kind of an image, and the size and polarity of its objects, as a scout sees them.

    Args:
        kind: the likeliest of `KINDS`.
        probabilities: probability of each kind.
        diameter_px: typical diameter of the objects, in pixels of the image.
        spread: standard deviation of the logarithm to base 2 of the diameter; 0.2 means ±15 %.
        dark: probability that the objects are darker than their surroundings.
        channel: name of the only channel that counts, if the image has shades of one hue on black; otherwise None.
    """

    kind: str
    probabilities: Mapping[str, float]
    diameter_px: float
    spread: float
    dark: float
    channel: str | None = None

    @property
    def probability(self) -> float:
        """Probability of the likeliest kind."""
        return self.probabilities[self.kind]

    @property
    def is_dark(self) -> bool:
        """True if the objects are probably darker than their surroundings."""
        return self.dark > 0.5

    @property
    def interval_px(self) -> tuple[float, float]:
        """Diameters between which the true one lies with a probability of 90 %, in pixels of the image."""
        factor = 2.0 ** (Z_OF_INTERVAL * self.spread)
        return self.diameter_px / factor, self.diameter_px * factor

    def as_none(self) -> Sighting:
        """Return the same sighting for an image that almost certainly shows none of the known kinds.

        The order of the others remains, because the image may be segmented by the bundle of the likeliest.
        """
        others = {kind: _HARDLY * value for kind, value in self.probabilities.items() if kind != NONE}
        probabilities = {kind: others.get(kind, 1 - sum(others.values())) for kind in KINDS}
        return replace(self, kind=NONE, probabilities=probabilities)

    def nearest_bundle(self, bundles: Collection[str]) -> str | None:
        """Return the bundle or substitute of the likeliest kind that has one of the given bundles, or None if none has.

        Args:
            bundles: names of bundles.
        """
        likeliest = sorted(self.probabilities, key=lambda kind: -self.probabilities[kind])
        candidates = (name for kind in likeliest for name in (KINDS[kind].bundle, KINDS[kind].substitute))
        return next((name for name in candidates if name in bundles), None)


def looked_at(count: int) -> list[int]:
    """Return the numbers of the planes of a stack that are looked at: the first, the middle and the last.

    >>> looked_at(9), looked_at(1)
    ([0, 4, 8], [0])
    """
    return sorted({0, count // 2, count - 1})


def agreed(sightings: Sequence[Sighting]) -> Sighting | None:
    """Return the sighting of middling diameter if all agree about kind, polarity and diameter, otherwise None."""
    sizes = [sighting.diameter_px for sighting in sightings]
    is_same = len({(sighting.kind, sighting.is_dark, sighting.channel) for sighting in sightings}) == 1
    return middling(sightings) if is_same and max(sizes) <= _ALIKE * min(sizes) else None


def middling(sightings: Sequence[Sighting]) -> Sighting:
    """Return the sighting of middling diameter."""
    return sorted(sightings, key=lambda sighting: sighting.diameter_px)[len(sightings) // 2]


def sighting_of(answers: np.ndarray, factors: Sequence[int], certainty: Certainty = AS_IT_IS) -> Sighting:
    """Combine what the network says about the views of an image.

    Diameters are averaged in proportion to their certainty, as a view at an unsuitable resolution says little. The
    uncertainty of the mean includes how much the views disagree.

    Args:
        answers: N×K numbers for N views; see `OUTPUTS`.
        factors: number of image pixels along the side of a pixel of each view.
        certainty: corrections of the network's certainty.

    >>> answers = np.zeros((2, len(OUTPUTS)))
    >>> answers[:, 0] = 4, 3
    >>> sighting_of(answers, [1, 2]).diameter_px
    16.0
    """
    answers = np.asarray(answers, np.float64)
    log_diameters = answers[:, 0] + np.log2(factors)
    precision = np.exp(-answers[:, 1].clip(*_LOG_VARIANCES))
    mean = float(np.average(log_diameters, weights=precision))
    disagreement = float(np.average((log_diameters - mean) ** 2, weights=precision))
    logits = _log_softmax(answers[:, 3:]).mean(axis=0) / certainty.temperature
    probabilities = np.exp(_log_softmax(logits[np.newaxis])[0])
    return Sighting(
        kind=list(KINDS)[int(probabilities.argmax())],
        probabilities=dict(zip(KINDS, probabilities.tolist(), strict=True)),
        diameter_px=2.0**mean,
        spread=certainty.spread_scale * math.sqrt(disagreement + 1 / float(precision.max())),
        dark=float(1 / (1 + np.exp(-answers[:, 2].mean()))),
    )


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
