"""What an image shows, from what a network says about its views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.scouting.kinds import KINDS

__all__ = ["OUTPUTS", "Sighting", "sighting_of"]

OUTPUTS = ("log2_diameter", "log_variance", "dark", *KINDS)
"""The numbers that the network returns for a view, in order: the logarithm to base 2 of the typical diameter in pixels
of the view, the logarithm of the variance of that number, the logit of dark objects, and a logit for each kind."""

_LOG_VARIANCES = (-6.0, 3.0)


@dataclass(frozen=True)
class Sighting:
    """What an image shows.

    Args:
        kind: the likeliest of `KINDS`.
        probabilities: probability of each kind.
        diameter_px: typical diameter of the objects, in pixels of the image.
        spread: standard deviation of the logarithm to base 2 of the diameter; 0.2 means ±15 %.
        dark: probability that the objects are darker than their surroundings.
    """

    kind: str
    probabilities: Mapping[str, float]
    diameter_px: float
    spread: float
    dark: float


def sighting_of(answers: np.ndarray, factors: Sequence[int]) -> Sighting:
    """Combine what the network says about the views of an image.

    Diameters are averaged in proportion to their certainty, as a view at an unsuitable resolution says little. The
    uncertainty of the mean includes how much the views disagree.

    Args:
        answers: N×K numbers for N views; see `OUTPUTS`.
        factors: number of image pixels along the side of a pixel of each view.

    >>> answers = np.zeros((2, len(OUTPUTS)))
    >>> answers[:, 0] = 4, 3
    >>> sighting_of(answers, [1, 2]).diameter_px
    16.0
    """
    answers = np.asarray(answers, np.float64)
    log_diameters = answers[:, 0] + np.log2(factors)
    certainty = np.exp(-answers[:, 1].clip(*_LOG_VARIANCES))
    mean = float(np.average(log_diameters, weights=certainty))
    disagreement = float(np.average((log_diameters - mean) ** 2, weights=certainty))
    logits = _log_softmax(answers[:, 3:]).mean(axis=0)
    probabilities = np.exp(_log_softmax(logits[np.newaxis])[0])
    return Sighting(
        kind=list(KINDS)[int(probabilities.argmax())],
        probabilities=dict(zip(KINDS, probabilities.tolist(), strict=True)),
        diameter_px=2.0**mean,
        spread=math.sqrt(disagreement + 1 / float(certainty.max())),
        dark=float(1 / (1 + np.exp(-answers[:, 2].mean()))),
    )


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
