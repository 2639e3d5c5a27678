"""Flags of good images and of images with known faults."""

import dataclasses

import numpy as np
import pytest

from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import FLAGS, PlaneMeasures, TrainingData, flags_of, measure_plane
from tests.quality.planes import plane

TRAINING = TrainingData("discs", "0", 9, 99, (20, 24, 30), (0.03, 0.04, 0.05), (0.2, 0.25, 0.35), (0.7, 0.8, 0.95))


def measured(pixels: np.ndarray, labels: np.ndarray) -> PlaneMeasures:
    return measure_plane(
        lambda rows, columns: pixels[:, rows, columns], labels, measure_objects(labels), Preprocessing()
    )


def kinds(image: PlaneMeasures, training: TrainingData | None = TRAINING) -> list[str]:
    return [flag.kind for flag in flags_of([image], training)[0]]


GOOD = measured(*plane())
EMPTY = np.random.default_rng(0).poisson(200, (1, 160, 160)).astype(np.uint16), np.zeros((160, 160), np.int32)


def test_a_good_image_has_no_flag() -> None:
    assert kinds(GOOD) == []
    assert kinds(GOOD, None) == []


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (measured(*plane(blur=3.0)), ["out of focus"]),
        (measured(*plane(most=700)), ["saturated"]),
        (measured(*EMPTY), ["no objects", "low contrast", "intensity"]),
        (measured(*plane(radius=6)), ["intensity", "object size"]),  # small discs leave a darker image too
        (dataclasses.replace(GOOD, cut=0.5), ["cut objects"]),
        (dataclasses.replace(GOOD, object_contrast=-0.5), ["intensity"]),
    ],
    ids=["blurred", "saturated", "empty", "small objects", "cut by the border", "dark objects"],
)
def test_each_fault_is_flagged_and_nothing_else(image: PlaneMeasures, expected: list[str]) -> None:
    flagged = kinds(image)
    assert flagged == expected
    assert set(flagged) <= FLAGS.keys()


def test_images_are_not_compared_with_unknown_training_data() -> None:
    assert kinds(measured(*plane(blur=3.0)), None) == []
    assert kinds(measured(*plane(radius=6)), None) == []
    assert kinds(measured(*EMPTY), None) == ["no objects", "low contrast"]


def test_no_contrast_is_low_if_the_noise_floor_is_0() -> None:
    empty = measured(*EMPTY)
    assert [[flag.kind for flag in flags_of([empty], noise_floor=floor)[0]] for floor in (0, 30)] == [
        ["no objects"],
        ["no objects", "low contrast"],
    ]


def test_an_image_unlike_the_others_of_its_run_is_flagged() -> None:
    others = [measured(*plane(seed=seed)) for seed in range(8)]
    run = [
        *others,
        measured(*plane(blur=3.0)),
        dataclasses.replace(GOOD, objects=160),
        dataclasses.replace(GOOD, objects=2),
    ]
    flagged = [[flag.kind for flag in flags] for flags in flags_of(run)]
    assert flagged == [[]] * 8 + [["out of focus"], ["many objects"], ["few objects"]]
    assert flags_of([*run[:4], *run[8:]]) == [[]] * 7  # too few to compare


def test_a_small_difference_from_otherwise_equal_images_is_not_flagged() -> None:
    run = [GOOD] * 9 + [dataclasses.replace(GOOD, objects=18, sharpness=GOOD.sharpness * 0.9)]
    assert flags_of(run) == [[]] * 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"objects": 0}, "0 objects"),
        ({"contrast": 3.14}, "the range is 3.14 times the noise; images below 30 stay dark"),
        ({"sharpness": 0.01}, "sharpness 0.01; training images have 0.03 to 0.05"),
        ({"saturated": 0.02}, "2 % of pixels have the highest value"),
        ({"brightness": 0.6}, "brightness 0.6; training images have 0.2 to 0.35"),
        ({"object_contrast": -0.5}, "contrast of objects -0.5; training images have 0.7 to 0.95"),
        ({"diameter_px": 50.0}, "median diameter 50 px; training images have 20 to 30"),
        ({"cut": 0.5}, "50 % of 16 objects touch the border"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_reasons_state_the_numbers(change: dict[str, float], reason: str) -> None:
    (flags,) = flags_of([dataclasses.replace(GOOD, **change)], TRAINING)
    assert [flag.reason for flag in flags] == [reason]


def test_reasons_state_the_deviation_from_the_other_images_of_the_run() -> None:
    changes: list[dict[str, float]] = [{"objects": 160}, {"objects": 2}, {"sharpness": GOOD.sharpness / 4}]
    run = [GOOD] * 8 + [dataclasses.replace(GOOD, **change) for change in changes]
    assert [flag.reason for flags in flags_of(run) for flag in flags] == [
        "6250 objects per megapixel, 10 times the median of the run (625)",
        "78 objects per megapixel, 0.12 times the median of the run (625)",
        f"sharpness {GOOD.sharpness / 4:.2g}, 0.25 times the median of the run",
    ]
