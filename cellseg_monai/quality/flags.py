"""What is unusual about a segmented image: by itself, beside the others of its run, beside what was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality.measures import PlaneMeasures
from cellseg_monai.quality.training_data import Range, TrainingData

__all__ = ["FLAGS", "LEAST_COMPARED", "Flag", "compared_measures", "flags_of"]

FLAGS = {
    "no objects": "nothing was found",
    "low contrast": "the image is hardly more than noise, and is left dark instead of being stretched",
    "out of focus": "less than half as sharp as the least sharp training image, or far less sharp than most of the run",
    "saturated": "many pixels have the highest value, so that their true intensities are lost",
    "intensity": "brightness or contrast of objects lies outside the range of the training images",
    "object size": "the median diameter lies outside what covers 90 % of the foreground of the training images",
    "cut objects": "more than a third of the objects touch the border, so that their sizes and shapes are incomplete",
    "many objects": "far more objects per area than in most of the run",
    "few objects": "far fewer objects per area than in most of the run",
}
"""Every flag and what it means."""

LEAST_COMPARED = 8
"""Of so many images a measure must be known, for them to be compared with each other by it."""

_SATURATED = 0.001
_LEAST_SHARP = 0.5
_BEYOND = 0.25  # of the width of a range, by which an image may lie outside
_CUT, _OF_OBJECTS = 1 / 3, 5
_OUTLIER = 3.5
_WAY_OFF = 2.0  # a factor: what differs less is no outlier, however alike the others are


@dataclass(frozen=True)
class Flag:
    """Something unusual about an image.

    Args:
        kind: one of `FLAGS`.
        reason: the numbers that it is made of.
    """

    kind: str
    reason: str


def flags_of(
    images: Sequence[PlaneMeasures],
    training: TrainingData | None = None,
    *,
    noise_floor: float = Preprocessing.noise_floor,
) -> list[list[Flag]]:
    """What is unusual about each image of a run.

    An image is compared with the others of its run where there are eight, by the modified z-score beyond 3.5 (Iglewicz
    and Hoaglin 1993, How to Detect and Handle Outliers, as NIST's handbook has it) of a logarithm or square root.

    Args:
        images: of one run.
        training: what the network was trained on; without it, no image is compared with that.
        noise_floor: see `pixels.Preprocessing`; with 0 no image is left dark, and none has low contrast.

    Returns:
        The flags of each image, in the order of `FLAGS`.

    >>> sharp = PlaneMeasures(20, 1, 30, 0.1, 0.04, 0, 200, 0.1, 0.4)
    >>> [flag.kind for flag in flags_of([sharp])[0]]
    []
    """
    others = _Others.of(images)
    return [
        [flag for flag in _all(image, at, others, training, noise_floor) if flag is not None]
        for at, image in enumerate(images)
    ]


def compared_measures(images: Sequence[PlaneMeasures]) -> list[str]:
    """The measures by which the images of a run are compared with each other: those known of eight or more.

    Args:
        images: of one run.

    >>> compared_measures(8 * [PlaneMeasures(0, 1, 30, 0.1, float("nan"), 0, 200, 0.1, 0.4)])
    ['number of objects']
    """
    measures = {
        "sharpness": [image.sharpness for image in images],
        "number of objects": [image.per_megapixel for image in images],
    }
    return [name for name, values in measures.items() if _known(np.array(values)).sum() >= LEAST_COMPARED]


@dataclass(frozen=True, eq=False)
class _Others:
    """How far each image is from the others of its run: modified z-scores, and factors to the median."""

    sharpness: tuple[np.ndarray, np.ndarray]
    density: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, images: Sequence[PlaneMeasures]) -> _Others:
        return cls(
            _deviation([image.sharpness for image in images], np.log),
            # A square root makes counts spread alike, few or many (Anscombe 1948, doi:10.1093/biomet/35.3-4.246).
            _deviation([image.per_megapixel for image in images], np.sqrt),
        )


def _deviation(values: Sequence[float], scale: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Modified z-scores, and how many times the median each value is; zeros and ones where they cannot be known."""
    given: np.ndarray = np.array(values, np.float64)
    known = _known(given)
    z, factor = np.zeros(len(given)), np.ones(len(given))
    if known.sum() < LEAST_COMPARED:
        return z, factor
    scaled = scale(np.maximum(given[known], 1e-6))
    middle = np.median(scaled)
    spread = max(float(np.median(np.abs(scaled - middle))), 1e-6)
    z[known] = 0.6745 * (scaled - middle) / spread
    factor[known] = given[known] / max(float(np.median(given[known])), 1e-6)
    return z, factor


def _known(values: np.ndarray) -> np.ndarray:
    known: np.ndarray = np.isfinite(values) & (values >= 0)
    return known


def _all(
    image: PlaneMeasures, at: int, others: _Others, training: TrainingData | None, floor: float
) -> list[Flag | None]:
    z, factor = (float(each[at]) for each in others.density)
    return [
        Flag("no objects", "0 objects") if image.objects == 0 else None,
        Flag("low contrast", f"range of {image.contrast:.3g} times the noise; below {floor:g} it is left dark")
        if image.contrast < floor
        else None,
        _focus(image, at, others, training),
        Flag("saturated", f"{100 * image.saturated:.2g} % of the pixels at the highest value")
        if image.saturated > _SATURATED
        else None,
        _intensity(image, training),
        _size(image, training),
        Flag("cut objects", f"{100 * image.cut:.0f} % of {image.objects} objects")
        if image.objects >= _OF_OBJECTS and image.cut > _CUT
        else None,
        Flag("many objects", _density(image, factor)) if z > _OUTLIER and factor > _WAY_OFF else None,
        Flag("few objects", _density(image, factor))
        if image.objects and z < -_OUTLIER and factor < 1 / _WAY_OFF
        else None,
    ]


def _density(image: PlaneMeasures, factor: float) -> str:
    median = image.per_megapixel / factor
    return f"{image.per_megapixel:.0f} per megapixel, {factor:.2g} times the median of the run, {median:.0f}"


def _focus(image: PlaneMeasures, at: int, others: _Others, training: TrainingData | None) -> Flag | None:
    if training is not None and image.sharpness < _LEAST_SHARP * training.sharpness.low:
        return Flag("out of focus", f"sharpness {image.sharpness:.2g}; training images {_told(training.sharpness)}")
    z, factor = (each[at] for each in others.sharpness)
    if z < -_OUTLIER and factor < 1 / _WAY_OFF:
        return Flag("out of focus", f"sharpness {image.sharpness:.2g}, {factor:.2g} times the median of the run")
    return None


def _intensity(image: PlaneMeasures, training: TrainingData | None) -> Flag | None:
    if training is None:
        return None
    told = [
        f"{name} {value:.2g}; training images {_told(known)}"
        for name, value, known in (
            ("brightness", image.brightness, training.brightness),
            ("contrast of objects", image.object_contrast, training.object_contrast),
        )
        if _outside(value, known)
    ]
    return Flag("intensity", ", ".join(told)) if told else None


def _size(image: PlaneMeasures, training: TrainingData | None) -> Flag | None:
    if training is None or image.objects < _OF_OBJECTS:
        return None
    known = training.diameter_px
    if known.low <= image.diameter_px <= known.high:
        return None
    return Flag("object size", f"median diameter {image.diameter_px:.3g} px; training images {_told(known)}")


def _outside(value: float, known: Range) -> bool:
    beyond = _BEYOND * (known.high - known.low)
    return value < known.low - beyond or value > known.high + beyond


def _told(known: Range) -> str:
    return f"{known.low:.3g} to {known.high:.3g}"
