"""Settings of post-processing chosen on annotated images, through the very functions that make objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cellseg_monai.decoding import Maps, Postprocessing, foreground_mask, label_objects
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.scores.bootstrap import bootstrap_interval
from cellseg_monai.scores.foreground import ForegroundCounts, foreground_counts, mean_score
from cellseg_monai.scores.instance_scores import object_scores
from cellseg_monai.scores.matching import ObjectCounts, object_counts

__all__ = ["OBJECTIVES", "Found", "Sweep", "Trial", "check_sweeps", "search_postprocessing"]

OBJECTIVES = ("f1", "f1_50", "dice")


@dataclass(frozen=True)
class Sweep:
    """One setting, the values to try, and the score that decides.

    Args:
        setting: a setting of `Postprocessing`, or of its method.
        values: in any order.
        objective: "f1", the mean F1 of objects over the ten IoU thresholds, all images pooled, for what moves outlines;
            "f1_50", that at IoU 0.5, for what decides whether there is an object at all; or "dice", the mean of
            the images' Dice of the foreground, which sees no objects.

    Raises:
        ValueError: no such objective, or no values.
    """

    setting: str
    values: tuple[Any, ...]
    objective: str = "f1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective {self.objective!r} came, but one of {', '.join(OBJECTIVES)} was expected")
        if not self.values:
            raise ValueError(f"no values of {self.setting} came, but at least one was expected; leave the sweep away")


@dataclass(frozen=True)
class Trial:
    """What one value of one setting came to, all other settings as they stood.

    Args:
        round: of the search, from 1.
        setting: which was swept.
        value: that was tried.
        f1: see `Sweep`.
        f1_50: see `Sweep`.
        dice: see `Sweep`.
        iou: the mean of the images' IoU of the foreground.
    """

    round: int
    setting: str
    value: Any
    f1: float
    f1_50: float
    dice: float
    iou: float


@dataclass(frozen=True)
class Found:
    """The outcome of a search.

    Args:
        settings: the best.
        trials: all that was tried, in order.
        f1: with the best settings, and `f1_interval`, its 95 % bootstrap interval over the images.
        f1_interval: NaN for a single image.
        f1_50: see `Sweep`, with the best settings.
        dice: with the best settings.
        f1_before: with the settings that the search began with.
    """

    settings: Postprocessing
    trials: tuple[Trial, ...]
    f1: float
    f1_interval: tuple[float, float]
    f1_50: float
    dice: float
    f1_before: float


def search_postprocessing(
    images: Sequence[tuple[Maps, np.ndarray]],
    start: Postprocessing,
    sweeps: Iterable[Sweep],
    *,
    rounds: int = 2,
) -> Found:
    """The settings that suit annotated images best: each swept in turn, the others as they stand.

    Of equal values, the one nearest to the setting as it stood wins. A round in which nothing changes is the last.

    Args:
        images: for each image its maps, Y×X by name, and the true label image, Y×X, which may have another size.
        start: the settings to begin with.
        sweeps: in this order.
        rounds: how often all are swept at most.

    Raises:
        ValueError: there are no images, a setting or value does not fit the method, or maps and labels are refused.

    >>> maps = {"foreground": np.array([[0.0, 0.45, 0.45, 0.2]])}
    >>> found = search_postprocessing(
    ...     [(maps, np.array([[0, 3, 3, 0]]))], Postprocessing(min_area_px=0), [Sweep("threshold", (0.1, 0.3, 0.5))]
    ... )
    >>> found.settings.threshold, found.f1
    (0.3, 1.0)
    """
    if not images:
        raise ValueError("no images came, but at least one annotated image was expected; is the section empty?")
    scored = cache(
        lambda settings: _scores(*_counted(images, settings))
    )  # a later round repeats much of an earlier one
    settings, sweeps, trials = start, list(sweeps), []
    check_sweeps(start, sweeps)
    for number in range(1, rounds + 1):
        before = settings
        for sweep in sweeps:
            tried = [
                Trial(number, sweep.setting, value, *scored(settings.with_setting(sweep.setting, value)))
                for value in sweep.values
            ]
            trials += tried
            settings = settings.with_setting(sweep.setting, _best(tried, sweep.objective, settings))
        if settings == before:
            break
    objects, masks = _counted(images, settings)
    interval = bootstrap_interval(objects, lambda counts: np.mean(counts.f1, axis=-1), over="pooled")
    f1, f1_50, dice, _ = _scores(objects, masks)
    return Found(settings, tuple(trials), f1, interval, f1_50, dice, scored(start)[0])


def check_sweeps(start: Postprocessing, sweeps: Iterable[Sweep]) -> None:
    """Refuse sweeps that do not fit the method, before any work is done.

    Args:
        start: the settings that the search begins with.
        sweeps: what is to be swept.

    Raises:
        ValueError: a setting means nothing for the method, or refuses a value.
    """
    for sweep in sweeps:
        for value in sweep.values:
            start.with_setting(sweep.setting, value)


def _best(trials: list[Trial], objective: str, settings: Postprocessing) -> Any:
    best = max(getattr(trial, objective) for trial in trials)
    as_it_stood = settings.to_mapping()[trials[0].setting]
    equal = [trial.value for trial in trials if getattr(trial, objective) == best]
    if as_it_stood in equal:
        return as_it_stood
    return min(equal, key=lambda value: abs(value - as_it_stood))


def _counted(
    images: Sequence[tuple[Maps, np.ndarray]], settings: Postprocessing
) -> tuple[list[list[ObjectCounts]], list[ForegroundCounts]]:
    objects, masks = [], []
    for maps, truth in images:
        shape = (int(truth.shape[0]), int(truth.shape[1]))
        objects.append(object_counts(label_objects(maps, settings, shape), truth))
        mask = rescale_labels(foreground_mask(np.asarray(maps["foreground"]), settings), shape)
        masks.append(foreground_counts(mask, truth > 0))
    return objects, masks


def _scores(objects: list[list[ObjectCounts]], masks: list[ForegroundCounts]) -> tuple[float, float, float, float]:
    f1 = object_scores(objects, "f1", pooled=True)
    return float(f1.mean()), float(f1[0]), mean_score(masks, "dice"), mean_score(masks, "iou")
