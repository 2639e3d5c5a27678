"""Flags for images that look unusual on their own, within their run, or compared with the training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellseg_monai.flag import Flag, Severity
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality.measures import PlaneMeasures
from cellseg_monai.quality.training_data import Range, TrainingData

__all__ = ["FLAGS", "LEAST_COMPARED", "SEVERITIES", "Flag", "compared_measures", "flags_of"]

FLAGS = {
    "unknown kind": "the image shows none of the known kinds, or not the kind that the bundle is made for",
    "uncertain size": "the size of the objects could not be told, so the image may have been scaled wrongly",
    "uncertain polarity": "the scout is unsure whether the objects are darker or brighter than their surroundings",
    "planes differ": "the planes show things or sizes that differ, so each plane is segmented in its own way",
    "no objects": "no objects were found",
    "low contrast": "the image is little more than noise, so its contrast is not stretched and it stays dark",
    "out of focus": "less than half as sharp as the least sharp training image, or far less sharp than most of the run",
    "saturated": "many pixels have the highest value, so their true intensities are lost",
    "intensity": "the brightness, or the contrast of the objects, is outside the range of the training images",
    "object size": "the median diameter is outside the range that covers 90 % of object pixels in the training images",
    "cut objects": "more than a third of the objects touch the border, so their sizes and shapes are incomplete",
    "margins": "a part at the border has a single value and no data; it is ignored, and nothing is found there",
    "many objects": "far more objects per area than in most images of the run",
    "few objects": "far fewer objects per area than in most images of the run",
    "objects everywhere": "objects cover most of the image, as if background were taken for objects",
    "touching objects": "nearly all objects touch others, as if larger things or texture were cut into pieces",
    "mask": "the image looks like a mask, a label image or a drawing: it has few values, or areas of a single value",
    "inverted": "the image looks inverted: it is bright with dark objects, unlike the training images",
    "photograph": "the image looks like a photograph, a stained slide or a plot in colour, not like fluorescence",
}
"""Every flag, with its meaning."""

SEVERITIES: dict[str, Severity] = {
    "unknown kind": "serious",
    "planes differ": "note",
    "no objects": "note",
    "low contrast": "note",
    "cut objects": "note",
    "margins": "note",
    "many objects": "note",
    "few objects": "note",
    "mask": "serious",
    "inverted": "serious",
    "photograph": "serious",
}
"""The severity of each flag; that of all others is "warning"."""

LEAST_COMPARED = 8
"""Minimum number of images in which a measure must be known, before the images in a run are compared by it."""

_SATURATED = 0.001  # share of pixels above which an image is saturated
_LEAST_SHARP = 0.5  # minimum sharpness, relative to the least sharp training image
_TOLERANCE = 0.25  # how far a value can be outside a range before it is flagged, as a share of the range's width
_CUT, _LEAST_OBJECTS = 1 / 3, 5  # tolerated share of cut objects; minimum number of objects for flags about objects
_COVERED, _TOUCHING = 0.75, 0.9  # shares above which objects cover most of an image, or nearly all touch others
_FEW_VALUES, _FLAT = 4, 0.85  # up to this many values, or above this share of equal neighbours, an image is a mask
_DARK_OBJECTS = -0.05  # contrast below which objects are darker than their surroundings
_BRIGHT = 0.6  # brightness above which an image consists of bright background
_PHOTOGRAPH = 0.2  # least brightness of the darkest colour channel of a photograph
_OUTLIER = 3.5  # modified z-score
_OUTLIER_FACTOR = 2.0  # a value within this factor of the median is never an outlier, however similar the others are


def flags_of(
    images: Sequence[PlaneMeasures],
    training: TrainingData | None = None,
    *,
    noise_floor: float = Preprocessing.noise_floor,
    is_colour: bool = False,
) -> list[list[Flag]]:
    """Flag everything that is unusual about each image in a run.

    In a run of at least eight images, outliers are found by the modified z-score of the logarithm or square root of a
    measure (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers, as given in the NIST handbook). An outlier
    has a score beyond 3.5, and differs from the median by more than a factor of 2.

    Args:
        images: measures of the images in one run.
        training: description of the training data; None to skip the comparison with training data.
        noise_floor: noise floor of the preprocessing; see `pixels.Preprocessing`. With 0, no image stays dark, so none
            is flagged for low contrast.
        is_colour: True if the network was made for images in colour, so that none is flagged as a photograph.

    Returns:
        One list of flags per image, in the order of `FLAGS`.

    >>> sharp = PlaneMeasures(20, 1, 30, 0.1, 0.04, 0, 200, 0.1, 0.4)
    >>> [flag.kind for flag in flags_of([sharp])[0]]
    []
    """
    deviations = _Deviations.of(images)
    return [
        [
            replace(flag, severity=SEVERITIES.get(flag.kind, "warning"))
            for flag in (
                *_possible_flags(image, index, deviations, training, noise_floor),
                *_of_another_kind(image, training, is_colour),
            )
            if flag is not None
        ]
        for index, image in enumerate(images)
    ]


def compared_measures(images: Sequence[PlaneMeasures]) -> list[str]:
    """Return the names of the measures by which the images in a run can be compared with each other.

    A measure qualifies if it is known for at least eight images.

    Args:
        images: measures of the images in one run.

    >>> compared_measures(8 * [PlaneMeasures(0, 1, 30, 0.1, float("nan"), 0, 200, 0.1, 0.4)])
    ['number of objects']
    """
    measures = {
        "sharpness": [image.sharpness for image in images],
        "number of objects": [image.per_megapixel for image in images],
    }
    return [name for name, values in measures.items() if _known(np.array(values)).sum() >= LEAST_COMPARED]


@dataclass(frozen=True, eq=False)
class _Deviations:
    """Deviations of images from the rest of their run, as modified z-scores and as multiples of the median."""

    sharpness: tuple[np.ndarray, np.ndarray]
    density: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, images: Sequence[PlaneMeasures]) -> _Deviations:
        return cls(
            _deviation([image.sharpness for image in images], np.log),
            # The square root of a count has nearly the same variance for small and large counts (Anscombe 1948,
            # doi:10.1093/biomet/35.3-4.246).
            _deviation([image.per_megapixel for image in images], np.sqrt),
        )


def _deviation(values: Sequence[float], scale: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return each value's modified z-score and multiple of the median.

    Unknown values get 0 and 1. All values do if too few are known for a comparison.
    """
    all_values: np.ndarray = np.array(values, np.float64)
    known = _known(all_values)
    z, factor = np.zeros(len(all_values)), np.ones(len(all_values))
    if known.sum() < LEAST_COMPARED:
        return z, factor
    scaled = scale(np.maximum(all_values[known], 1e-6))
    middle = np.median(scaled)
    spread = max(float(np.median(np.abs(scaled - middle))), 1e-6)
    z[known] = 0.6745 * (scaled - middle) / spread
    factor[known] = all_values[known] / max(float(np.median(all_values[known])), 1e-6)
    return z, factor


def _known(values: np.ndarray) -> np.ndarray:
    known: np.ndarray = np.isfinite(values) & (values >= 0)
    return known


def _possible_flags(
    image: PlaneMeasures, index: int, deviations: _Deviations, training: TrainingData | None, floor: float
) -> list[Flag | None]:
    z, factor = (float(values[index]) for values in deviations.density)
    return [
        Flag("no objects", "0 objects") if image.objects == 0 else None,
        Flag("low contrast", f"the range is {image.contrast:.3g} times the noise; images below {floor:g} stay dark")
        if image.contrast < floor
        else None,
        _focus(image, index, deviations, training),
        Flag("saturated", f"{100 * image.saturated:.2g} % of pixels have the highest value")
        if image.saturated > _SATURATED
        else None,
        _intensity(image, training),
        _size(image, training),
        Flag("cut objects", f"{100 * image.cut:.0f} % of {image.objects} objects touch the border")
        if image.objects >= _LEAST_OBJECTS and image.cut > _CUT
        else None,
        Flag("margins", f"{100 * image.missing:.2g} % of the image has no data") if image.missing else None,
        Flag("many objects", _density(image, factor)) if z > _OUTLIER and factor > _OUTLIER_FACTOR else None,
        Flag("few objects", _density(image, factor))
        if image.objects and z < -_OUTLIER and factor < 1 / _OUTLIER_FACTOR
        else None,
    ]


def _of_another_kind(image: PlaneMeasures, training: TrainingData | None, is_colour: bool) -> list[Flag | None]:
    """Return the flags of images that are not of the kind for which bundles are made."""
    return [
        Flag("objects everywhere", f"objects cover {100 * image.covered:.0f} % of the image")
        if image.covered > _COVERED
        else None,
        Flag("touching objects", f"{100 * image.touching:.0f} % of {image.objects} objects touch another one")
        if image.objects >= _LEAST_OBJECTS and image.touching > _TOUCHING
        else None,
        _mask(image),
        _inverted(image, training),
        Flag("photograph", f"red, green and blue vary together, and are all brighter than {100 * _PHOTOGRAPH:.0f} %")
        if image.colourfulness > _PHOTOGRAPH and not is_colour
        else None,
    ]


def _mask(image: PlaneMeasures) -> Flag | None:
    if image.contrast == 0:  # a nearly constant image has few values in any case
        return None
    if image.values <= _FEW_VALUES:
        return Flag("mask", f"{image.values} different values")
    if image.flatness > _FLAT:
        return Flag("mask", f"{100 * image.flatness:.0f} % of pixels above the lowest value equal their neighbour")
    return None


def _inverted(image: PlaneMeasures, training: TrainingData | None) -> Flag | None:
    if training is None or training.object_contrast.low <= 0:
        return None
    if image.object_contrast < _DARK_OBJECTS:
        return Flag("inverted", f"objects are darker than their surroundings, contrast {image.object_contrast:.2g}")
    if image.brightness > _BRIGHT and _outside(image.brightness, training.brightness):
        return Flag(
            "inverted", f"brightness {image.brightness:.2g}; training images have {_range_text(training.brightness)}"
        )
    return None


def _density(image: PlaneMeasures, factor: float) -> str:
    median = image.per_megapixel / factor
    return f"{image.per_megapixel:.0f} objects per megapixel, {factor:.2g} times the median of the run ({median:.0f})"


def _focus(image: PlaneMeasures, index: int, deviations: _Deviations, training: TrainingData | None) -> Flag | None:
    if training is not None and image.sharpness < _LEAST_SHARP * training.sharpness.low:
        return Flag(
            "out of focus", f"sharpness {image.sharpness:.2g}; training images have {_range_text(training.sharpness)}"
        )
    z, factor = (values[index] for values in deviations.sharpness)
    if z < -_OUTLIER and factor < 1 / _OUTLIER_FACTOR:
        return Flag("out of focus", f"sharpness {image.sharpness:.2g}, {factor:.2g} times the median of the run")
    return None


def _intensity(image: PlaneMeasures, training: TrainingData | None) -> Flag | None:
    if training is None:
        return None
    deviating = [
        f"{name} {value:.2g}; training images have {_range_text(training_range)}"
        for name, value, training_range in (
            ("brightness", image.brightness, training.brightness),
            ("contrast of objects", image.object_contrast, training.object_contrast),
        )
        if _outside(value, training_range)
    ]
    return Flag("intensity", ", ".join(deviating)) if deviating else None


def _size(image: PlaneMeasures, training: TrainingData | None) -> Flag | None:
    if training is None or image.objects < _LEAST_OBJECTS:
        return None
    training_range = training.diameter_px
    if training_range.low <= image.diameter_px <= training_range.high:
        return None
    return Flag(
        "object size", f"median diameter {image.diameter_px:.3g} px; training images have {_range_text(training_range)}"
    )


def _outside(value: float, limits: Range) -> bool:
    tolerance = _TOLERANCE * (limits.high - limits.low)
    return value < limits.low - tolerance or value > limits.high + tolerance


def _range_text(limits: Range) -> str:
    return f"{limits.low:.3g} to {limits.high:.3g}"
